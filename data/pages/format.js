// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Numbers as people read them. Pure functions, no DOM.

const MISSING = '–';

/**
 * @param {number} bytes
 * @returns {string} such as `4.8 MB`
 */
export function formatBytes(bytes) {
  if (!Number.isFinite(bytes)) return MISSING;
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/**
 * @param {number} bits bits a second
 * @returns {string} such as `2.5 Mb/s`
 */
export function formatBitrate(bits) {
  if (!Number.isFinite(bits)) return MISSING;
  if (bits >= 1e6) return `${(bits / 1e6).toFixed(1)} Mb/s`;
  return `${Math.round(bits / 1000)} kb/s`;
}

/**
 * @param {number} seconds
 * @returns {string} such as `0.15 s` or `320 ms`
 */
export function formatLatency(seconds) {
  if (!Number.isFinite(seconds)) return MISSING;
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(2)} s`;
}

/**
 * @param {number} seconds
 * @returns {string} such as `4 s`, `12 min` or `3 h 05 min`
 */
export function formatDuration(seconds) {
  if (!Number.isFinite(seconds) || seconds < 0) return MISSING;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const rest = String(minutes % 60).padStart(2, '0');
  return `${Math.floor(minutes / 60)} h ${rest} min`;
}

/**
 * @param {number} count
 * @param {string} one the word for one of them
 * @param {string} [many] the word for several
 * @returns {string} such as `1 viewer` or `3 viewers`
 */
export function formatCount(count, one, many = `${one}s`) {
  return `${count} ${count === 1 ? one : many}`;
}

/**
 * @param {number} time milliseconds since 1970
 * @returns {string} local time of day, `14:05:09.123`
 */
export function formatTime(time) {
  const date = new Date(time);
  const pad = (value, digits) => String(value).padStart(digits, '0');
  return (
    `${pad(date.getHours(), 2)}:${pad(date.getMinutes(), 2)}:${pad(date.getSeconds(), 2)}` +
    `.${pad(date.getMilliseconds(), 3)}`
  );
}

/**
 * @param {Array<[number, number]>} ranges seconds
 * @returns {string} such as `12.04 – 18.33`
 */
export function formatRanges(ranges) {
  if (!ranges?.length) return 'empty';
  return ranges.map(([start, end]) => `${start.toFixed(2)} – ${end.toFixed(2)}`).join(', ');
}
