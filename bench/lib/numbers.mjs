// SPDX-License-Identifier: LGPL-2.1-or-later

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(Math.floor(share * sorted.length), sorted.length - 1)];
}

/** Three digits that count. */
export function short(value) {
  if (!Number.isFinite(value))
    return '–';
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}

/** The middle and both ends of several rounds. */
export function spread(values, unit = '') {
  const ends = values.length > 1 ? ` (${short(Math.min(...values))} to ${short(Math.max(...values))})` : '';
  return `${short(median(values))}${unit}${ends}`;
}

/** A row whose mark is the largest value that passes; judged by the median of the rounds. */
export function upTo(what, values, limit, unit = '') {
  const list = [].concat(values);
  return { what, value: spread(list, unit), mark: `≤ ${limit}${unit}`, passes: median(list) <= limit };
}

/** A row without a mark. */
export function plain(what, values, unit = '') {
  return { what, value: typeof values === 'string' ? values : spread([].concat(values), unit) };
}
