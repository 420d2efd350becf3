// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Pictures and sound that need no device: a moving test pattern with a frame code in its corner, a still card for
// a camera that is off, and a tone. The canvases have no alpha channel: with one, Chromium records VP8 with
// alpha, whose blocks few players expect.

import { encodeFrameCode, frameClock, frameCodeSize } from './frame-code.js';
import { FrameTicker, Ticker } from './ticker.js';

const FPS = 30;
const BARS = ['#c8c8c0', '#c2b93a', '#3fb3b0', '#45a84c', '#a8489f', '#b23f3a', '#3c4fa6'];
const CARD_INTERVAL = 250;
const TONE_HZ = 330;
const FONT = 'system-ui, "Segoe UI", Roboto, sans-serif';

/**
 * @typedef {object} OpenTrack
 * @property {MediaStreamTrack} track
 * @property {() => void} stop ends the track and everything behind it
 * @property {string} [note] something to tell the person
 */

function makeCanvas(width, height) {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  return { canvas, context: canvas.getContext('2d', { alpha: false }) };
}

/** What does not change: colour bars, a grey ramp, the name. Painted once, copied for each frame. */
function paintBackground(width, height, name) {
  const { canvas, context } = makeCanvas(width, height);
  const top = Math.round(height * 0.62);
  const bar = width / BARS.length;
  BARS.forEach((colour, i) => {
    context.fillStyle = colour;
    context.fillRect(Math.round(i * bar), 0, Math.ceil(bar) + 1, top);
  });
  context.fillStyle = '#14191a';
  context.fillRect(0, top, width, height - top);
  const steps = 12;
  for (let i = 0; i < steps; i += 1) {
    const level = Math.round((255 * i) / (steps - 1));
    context.fillStyle = `rgb(${level} ${level} ${level})`;
    context.fillRect(Math.round((i * width) / steps), height - Math.round(height * 0.09), Math.ceil(width / steps), height);
  }
  context.fillStyle = '#e8eeec';
  context.font = `600 ${Math.round(height * 0.06)}px ${FONT}`;
  context.textAlign = 'right';
  context.fillText(name, width * 0.96, height * 0.74, width * 0.5);
  context.fillStyle = '#9bacaa';
  context.font = `400 ${Math.round(height * 0.04)}px ${FONT}`;
  context.fillText(`${width} × ${height}`, width * 0.96, height * 0.81);
  // Quiet surroundings for the frame code.
  const { size } = frameCodeSize(height);
  context.fillStyle = '#14191a';
  context.fillRect(0, 0, Math.ceil(size * 1.1), Math.ceil(size * 1.1));
  return canvas;
}

function drawMotion(context, width, height, seconds) {
  const x = width * (0.5 + 0.42 * Math.sin(seconds * 0.9));
  const y = height * (0.36 + 0.16 * Math.cos(seconds * 1.7));
  const radius = height * 0.07;
  context.fillStyle = '#f4f7f7';
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
  context.strokeStyle = '#14191a';
  context.lineWidth = Math.max(2, height / 120);
  context.beginPath();
  context.moveTo(x, y);
  const angle = (seconds % 1) * 2 * Math.PI - Math.PI / 2;
  context.lineTo(x + Math.cos(angle) * radius * 0.8, y + Math.sin(angle) * radius * 0.8);
  context.stroke();
}

/**
 * A moving picture with a clock, a frame counter and a frame code.
 *
 * @param {{width: number, height: number, name: string}} options
 * @returns {OpenTrack}
 */
export function openPattern({ width, height, name }) {
  const { canvas, context } = makeCanvas(width, height);
  const background = paintBackground(width, height, name);
  const clockFont = `600 ${Math.round(height * 0.11)}px ui-monospace, Menlo, Consolas, monospace`;
  let frame = 0;
  const draw = () => {
    const time = frameClock();
    context.drawImage(background, 0, 0);
    drawMotion(context, width, height, time / 1000);
    context.textAlign = 'left';
    context.fillStyle = '#e8eeec';
    context.font = clockFont;
    context.fillText(new Date(time).toISOString().slice(11, 22), width * 0.04, height * 0.76);
    context.fillStyle = '#9bacaa';
    context.font = `400 ${Math.round(height * 0.05)}px ui-monospace, Menlo, Consolas, monospace`;
    context.fillText(`frame ${frame}`, width * 0.04, height * 0.86);
    encodeFrameCode(context, height, { time, frame });
    frame += 1;
  };
  draw();
  const track = canvas.captureStream(FPS).getVideoTracks()[0];
  const ticker = new FrameTicker(FPS, draw);
  return {
    track,
    stop: () => {
      ticker.stop();
      track.stop();
    },
  };
}

/**
 * A card with words, in place of a camera that is off. It is painted again now and then, because a canvas that does
 * not change gives no frames.
 *
 * @param {{width: number, height: number, name: string, words: string}} options
 * @returns {OpenTrack}
 */
export function openCard({ width, height, name, words }) {
  const { canvas, context } = makeCanvas(width, height);
  const draw = () => {
    context.fillStyle = '#14191a';
    context.fillRect(0, 0, width, height);
    context.textAlign = 'center';
    context.fillStyle = '#e8eeec';
    context.font = `600 ${Math.round(height * 0.07)}px ${FONT}`;
    context.fillText(words, width / 2, height * 0.5, width * 0.9);
    context.fillStyle = '#9bacaa';
    context.font = `400 ${Math.round(height * 0.045)}px ${FONT}`;
    context.fillText(name, width / 2, height * 0.6, width * 0.9);
  };
  draw();
  const track = canvas.captureStream(FPS).getVideoTracks()[0];
  const ticker = new Ticker(CARD_INTERVAL, draw);
  return {
    track,
    stop: () => {
      ticker.stop();
      track.stop();
    },
  };
}

/**
 * A soft tone that beats once a second. Browsers keep an AudioContext suspended until the person has used the page; a recorder
 * with such a track would hold everything back, so then there is no track but a note.
 *
 * @returns {Promise<OpenTrack|{track: null, stop: () => void, note: string}>}
 */
export async function openTone() {
  const context = new AudioContext({ latencyHint: 'interactive' });
  await Promise.race([context.resume().catch(() => {}), new Promise((resolve) => setTimeout(resolve, 400))]);
  if (context.state !== 'running') {
    await context.close().catch(() => {});
    return {
      track: null,
      stop: () => {},
      note: 'The browser allows sound only after a click on this page: the test pattern is silent.',
    };
  }
  const tone = new OscillatorNode(context, { frequency: TONE_HZ });
  const beat = new OscillatorNode(context, { frequency: 1 });
  const depth = new GainNode(context, { gain: 0.04 });
  const level = new GainNode(context, { gain: 0.06 });
  const output = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
  beat.connect(depth).connect(level.gain);
  tone.connect(level).connect(output);
  tone.start();
  beat.start();
  const track = output.stream.getAudioTracks()[0];
  return {
    track,
    stop: () => {
      track.stop();
      context.close();
    },
  };
}
