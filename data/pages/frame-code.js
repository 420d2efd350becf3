// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A frame counter and a millisecond clock drawn as 8 × 8 black and white cells into the top left corner
// of a picture, and read back from the pixels of whoever shows that picture. It measures latency from glass to
// glass. A cell is 2/45 of the picture's height (16 × 16 at 360 lines: one macroblock of VP8), so
// that the code survives a lossy codec and any scaling. Cells in reading order, highest bit first:
//
//   row 0      marker 10110010, which also gives the levels of black and white
//   rows 1-4   milliseconds since 1970, modulo 2^32
//   rows 5-6   frame counter, modulo 2^16
//   row 7      CRC-8 (polynomial 0x07) of rows 1-6
//
// A reader that gets a value read it right: the marker, the contrast of every cell and the checksum are verified.

/** Cells in a row, and rows. */
export const FRAME_CODE_CELLS = 8;

const MARKER = 0b10110010;
const TIME_MODULUS = 2 ** 32;
const MIN_CONTRAST = 60;

function crc8(bytes) {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = ((crc << 1) ^ (crc & 0x80 ? 0x07 : 0)) & 0xff;
  }
  return crc;
}

/**
 * Milliseconds since 1970 with the page's best resolution: comparable between pages of one machine.
 *
 * @returns {number}
 */
export function frameClock() {
  return performance.timeOrigin + performance.now();
}

/**
 * How large the code is in a picture of this height.
 *
 * @param {number} height pixels
 * @returns {{cell: number, size: number}} pixels; `cell` may have a fraction
 */
export function frameCodeSize(height) {
  const cell = (height * 2) / 45;
  return { cell, size: cell * FRAME_CODE_CELLS };
}

/**
 * The eight rows of a code.
 *
 * @param {{time: number, frame: number}} value
 * @returns {Uint8Array} one byte a row
 */
export function frameCodeRows({ time, frame }) {
  const ms = Math.floor(time) % TIME_MODULUS;
  const rows = new Uint8Array(FRAME_CODE_CELLS);
  rows[0] = MARKER;
  rows[1] = ms / 2 ** 24;
  rows[2] = (ms / 2 ** 16) & 0xff;
  rows[3] = (ms / 2 ** 8) & 0xff;
  rows[4] = ms & 0xff;
  rows[5] = (frame >> 8) & 0xff;
  rows[6] = frame & 0xff;
  rows[7] = crc8(rows.subarray(1, 7));
  return rows;
}

/**
 * Draws a code into the top left corner of a canvas.
 *
 * @param {CanvasRenderingContext2D|OffscreenCanvasRenderingContext2D} context
 * @param {number} height the picture's height in pixels
 * @param {{time: number, frame: number}} value `time` in milliseconds, see `frameClock`
 */
export function encodeFrameCode(context, height, value) {
  const { cell, size } = frameCodeSize(height);
  const rows = frameCodeRows(value);
  context.fillStyle = '#000';
  context.fillRect(0, 0, Math.ceil(size), Math.ceil(size));
  context.fillStyle = '#fff';
  for (let y = 0; y < FRAME_CODE_CELLS; y += 1) {
    for (let x = 0; x < FRAME_CODE_CELLS; x += 1) {
      if (!(rows[y] & (0x80 >> x))) continue;
      const left = Math.round(x * cell);
      const top = Math.round(y * cell);
      context.fillRect(left, top, Math.round((x + 1) * cell) - left, Math.round((y + 1) * cell) - top);
    }
  }
}

/** Mean brightness of the middle half of a cell. */
function cellLevel(image, cell, x, y) {
  const left = Math.floor((x + 0.25) * cell);
  const top = Math.floor((y + 0.25) * cell);
  const right = Math.max(left + 1, Math.floor((x + 0.75) * cell));
  const bottom = Math.max(top + 1, Math.floor((y + 0.75) * cell));
  let sum = 0;
  for (let row = top; row < bottom; row += 1) {
    for (let column = left; column < right; column += 1) {
      const at = (row * image.width + column) * 4;
      sum += (image.data[at] * 77 + image.data[at + 1] * 150 + image.data[at + 2] * 29) / 256;
    }
  }
  return sum / ((right - left) * (bottom - top));
}

/**
 * Reads a code from pixels.
 *
 * @param {ImageData|{data: Uint8ClampedArray, width: number, height: number}} image the picture, or at least its
 *   top left corner
 * @param {number} [height] the whole picture's height when `image` is only its corner
 * @returns {{time: number, frame: number}|null} what was encoded (`time` modulo 2^32, see `frameCodeAge`), or
 *   null when there is no code or it cannot be read for certain
 */
export function decodeFrameCode(image, height = image.height) {
  const { cell, size } = frameCodeSize(height);
  if (image.width < Math.floor(size) || image.height < Math.floor(size)) return null;
  const levels = [];
  for (let y = 0; y < FRAME_CODE_CELLS; y += 1) {
    for (let x = 0; x < FRAME_CODE_CELLS; x += 1) levels.push(cellLevel(image, cell, x, y));
  }
  let black = 0;
  let white = 0;
  for (let x = 0; x < 8; x += 1) {
    if (MARKER & (0x80 >> x)) white += levels[x] / 4;
    else black += levels[x] / 4;
  }
  const contrast = white - black;
  if (contrast < MIN_CONTRAST) return null;
  const middle = (white + black) / 2;
  const rows = new Uint8Array(FRAME_CODE_CELLS);
  for (let i = 0; i < levels.length; i += 1) {
    if (Math.abs(levels[i] - middle) < contrast / 8) return null;
    if (levels[i] > middle) rows[i >> 3] |= 0x80 >> (i & 7);
  }
  if (rows[0] !== MARKER || rows[7] !== crc8(rows.subarray(1, 7))) return null;
  return {
    time: ((rows[1] * 256 + rows[2]) * 256 + rows[3]) * 256 + rows[4],
    frame: rows[5] * 256 + rows[6],
  };
}

/**
 * Draws the corner of a video (or canvas) into a canvas and reads its code.
 *
 * @param {CanvasRenderingContext2D|OffscreenCanvasRenderingContext2D} context made with
 *   `willReadFrequently: true`, of a canvas at least 128 × 128
 * @param {HTMLVideoElement|HTMLCanvasElement} source
 * @param {number} [height] the source's height in pixels
 * @returns {{time: number, frame: number}|null}
 */
export function readFrameCode(context, source, height = source.videoHeight ?? source.height) {
  if (!height) return null;
  const { size } = frameCodeSize(height);
  const side = 128;
  context.drawImage(source, 0, 0, size, size, 0, 0, side, side);
  return decodeFrameCode(context.getImageData(0, 0, side, side), 360);
}

/**
 * How long ago a decoded code was drawn.
 *
 * @param {{time: number}} code
 * @param {number} [now] milliseconds, see `frameClock`
 * @returns {number} milliseconds
 */
export function frameCodeAge(code, now = frameClock()) {
  const age = (Math.floor(now) % TIME_MODULUS) - code.time;
  return age < -TIME_MODULUS / 2 ? age + TIME_MODULUS : age;
}
