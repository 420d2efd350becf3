// SPDX-License-Identifier: LGPL-2.1-or-later
// Recordings that the tests make themselves, in a real browser, for what no capture has: a canvas, still or moving, that changes size.

import { Capture } from './captures.mjs';
import { open, servePages } from './browser.mjs';

/* The page draws, records and sends each chunk to the WebSocket it came from; the title says when it is done. */
const PAGE = `<!doctype html><meta charset="utf-8"><title>recording</title><canvas id="canvas"></canvas><script type="module">
const want = JSON.parse(decodeURIComponent(location.hash.slice(1)));
const canvas = document.querySelector('canvas');
const context = canvas.getContext('2d', { alpha: want.alpha });
[canvas.width, canvas.height] = want.sizes[0];
let count = 0;
const draw = () => {
  count++;
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (!want.alpha) {
    context.fillStyle = '#223';
    context.fillRect(0, 0, canvas.width, canvas.height);
  }
  context.fillStyle = 'hsl(' + count * 7 % 360 + ' 80% 60%)';
  context.fillRect(count * 5 % canvas.width, count * 3 % canvas.height, canvas.width / 4, canvas.height / 4);
  context.fillStyle = '#fff';
  context.font = canvas.height / 5 + 'px sans-serif';
  context.fillText(count, 10, canvas.height / 2);
};
draw();
const stream = canvas.captureStream(want.rate);
if (want.audio) {
  const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
  stream.addTrack(microphone.getAudioTracks()[0]);
}
const socket = new WebSocket(location.href.replace('http', 'ws').split('#')[0]);
socket.binaryType = 'arraybuffer';
await new Promise((resolve) => socket.onopen = resolve);
const recorder = new MediaRecorder(stream, { mimeType: want.mime, videoBitsPerSecond: 600000, videoKeyFrameIntervalDuration: want.keys });
let last = Promise.resolve();
let bytes = 0;
let quiet;
// Firefox gives data after the stop event, too, and all it has of a still canvas: the end is when some has come and no more does.
const look = () => {
  clearTimeout(quiet);
  if (recorder.state === 'inactive' && bytes > 0)
    quiet = setTimeout(() => last.then(() => socket.close(1000)), 500);
};
recorder.ondataavailable = ({ data }) => {
  bytes += data.size;
  last = last.then(async () => socket.send(await data.arrayBuffer()));
  look();
};
recorder.onstop = look;
recorder.onerror = ({ error }) => socket.close(4000, String(error));
recorder.start(100);
// A browser may miss what was drawn once; a picture counts when somebody who looks at the same track has seen it.
const witness = document.createElement('video');
witness.muted = true;
witness.srcObject = stream;
witness.play();
const shown = async ([width, height]) => {
  while (witness.videoWidth !== width || witness.videoHeight !== height) {
    draw();
    await new Promise(requestAnimationFrame);
  }
};
for (const size of want.sizes) {
  [canvas.width, canvas.height] = size;
  await shown(size);
  const until = performance.now() + want.seconds * 1000 / want.sizes.length;
  while (performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 1000 / want.rate));
    if (!want.still)
      draw();
  }
}
recorder.stop();
</script>`;

/**
 * Records a canvas in `browser`: `sizes` one after the other in equal parts of `seconds`; `still` draws no more once a size is seen.
 * Resolves with a Capture whose chunks are the recorder's own.
 */
export async function recordCanvas(browser, { mime, sizes = [[320, 240], [480, 270]], seconds = 4, rate = 20, audio = true, alpha = false, still = false, keys = 1000 }) {
  const chunks = [];
  let done;
  const ended = new Promise((resolve, reject) => done = { resolve, reject });
  const www = await servePages({ '/': PAGE }, (socket) => {
    const begun = performance.now();
    socket.on('message', (data) => chunks.push({ at: performance.now() - begun, data }));
    socket.on('close', (code, reason) => code === 1000 ? done.resolve() : done.reject(new Error(`recording: ${code} ${reason}`)));
  });
  const want = encodeURIComponent(JSON.stringify({ mime, sizes, seconds, rate, audio, alpha, still, keys }));
  const page = await open(browser, www.url(`/#${want}`), `recording ${mime}`);
  await ended;
  page.clean();
  await page.close();
  await www.close();
  const sent = chunks.filter(({ data }) => data.length > 0);
  return new Capture(mime, Buffer.concat(sent.map(({ data }) => data)), sent.map(({ at, data }) => ({ at, bytes: data.length })));
}
