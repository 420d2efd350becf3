// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the player looks like: the shadow tree's markup, its icons, and the last picture kept while the video
// has none. The style is in player-style.js, the behaviour of the controls in player-controls.js.

import { PLAYER_STYLE } from './player-style.js';

const icon = (name, path) => `<svg class="${name}" viewBox="0 0 24 24" aria-hidden="true"><path d="${path}"/></svg>`;

const ICONS = {
  play: icon('icon-play', 'M8 5.2v13.6c0 .8.9 1.3 1.6.8l10.2-6.8a1 1 0 0 0 0-1.6L9.6 4.4C8.9 3.9 8 4.4 8 5.2z'),
  pause: icon('icon-pause', 'M7 4h3a1 1 0 0 1 1 1v14a1 1 0 0 1-1 1H7a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1zm7 0h3a1 1 0 0 1 1 1v14a1 1 0 0 1-1 1h-3a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1z'),
  sound: icon('icon-sound', 'M4 9v6h4l5 4.5v-15L8 9H4zm12.2-.9v7.8a4.5 4.5 0 0 0 0-7.8zm0-4.3v2.1a6.6 6.6 0 0 1 0 12.2v2.1a8.6 8.6 0 0 0 0-16.4z'),
  silent: icon('icon-silent', 'M4 9v6h4l5 4.5v-15L8 9H4zm18 .4L20.6 8 18.5 10.100l-2.1-2.1L15 9.400l2.100 2.100L15 13.600l1.400 1.400 2.100-2.100 2.100 2.100L22 13.600l-2.100-2.100z'),
  full: icon('icon-full', 'M4 4h6v2H6v4H4V4zm10 0h6v6h-2V6h-4V4zM4 14h2v4h4v2H4v-6zm14 0h2v6h-6v-2h4v-4z'),
  window: icon('icon-window', 'M8 4h2v6H4V8h4V4zm6 0h2v4h4v2h-6V4zM4 14h6v6H8v-4H4v-2zm10 0h6v2h-4v4h-2v-6z'),
  wave: icon('icon-wave', 'M3 10h2v4H3v-4zm4-3h2v10H7V7zm4-4h2v18h-2V3zm4 4h2v10h-2V7zm4 3h2v4h-2v-4z'),
};

const MARKUP = `
<div class="frame" part="frame">
  <canvas class="backdrop" aria-hidden="true"></canvas>
  <video part="video" playsinline tabindex="-1"></video>
  <canvas class="still" aria-hidden="true"></canvas>
  <div class="sound-only" aria-hidden="true">${ICONS.wave}<span>Sound only</span></div>
  <div class="notice">
    <span class="spinner" aria-hidden="true"></span>
    <p class="message" role="status" aria-live="polite"></p>
  </div>
  <button type="button" class="start" aria-label="Play">${ICONS.play}</button>
  <button type="button" class="unmute" hidden>${ICONS.silent}<span>Turn sound on</span></button>
  <pre class="debug" hidden aria-hidden="true"></pre>
  <div class="bar" part="controls" role="group" aria-label="Player controls">
    <button type="button" class="play" aria-label="Play">${ICONS.play}${ICONS.pause}</button>
    <button type="button" class="mute" aria-label="Mute" aria-pressed="false">${ICONS.sound}${ICONS.silent}</button>
    <input type="range" class="volume" min="0" max="1" step="0.05" aria-label="Volume">
    <span class="badge" aria-hidden="true"><i></i><b></b></span>
    <span class="space"></span>
    <button type="button" class="full" aria-label="Full screen">${ICONS.full}${ICONS.window}</button>
  </div>
</div>`;

/**
 * Fills a shadow root with the player's tree.
 *
 * @param {ShadowRoot} root
 * @returns {Record<string, HTMLElement>} its parts by class name, and `video`
 */
export function buildView(root) {
  const template = document.createElement('template');
  template.innerHTML = MARKUP;
  root.append(template.content);
  if ('adoptedStyleSheets' in root) {
    // Not a style element: pages with a strict content security policy embed the player too.
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(PLAYER_STYLE);
    root.adoptedStyleSheets = [sheet];
  } else {
    const style = document.createElement('style');
    style.textContent = PLAYER_STYLE;
    root.prepend(style);
  }
  const names = ['frame', 'backdrop', 'still', 'notice', 'message', 'start', 'unmute', 'debug', 'bar', 'play', 'mute',
    'volume', 'badge', 'full'];
  const parts = Object.fromEntries(names.map((name) => [name, root.querySelector(`.${name}`)]));
  return { ...parts, video: root.querySelector('video') };
}

/** The last picture of a video, standing over it while it has none. */
export class StillPicture {
  #canvas;
  #video;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {HTMLVideoElement} video
   */
  constructor(canvas, video) {
    this.#canvas = canvas;
    this.#video = video;
  }

  /** Copies the present picture and shows the copy. */
  show() {
    const { videoWidth, videoHeight } = this.#video;
    if (!videoWidth || this.#video.readyState < 2) return;
    this.#canvas.width = videoWidth;
    this.#canvas.height = videoHeight;
    this.#canvas.getContext('2d', { alpha: false }).drawImage(this.#video, 0, 0);
    this.#canvas.classList.add('shown');
  }

  /** Shows the video itself again. */
  hide() {
    this.#canvas.classList.remove('shown');
  }
}

/**
 * A copy of each picture, behind the video. Firefox's own decoder gives nothing for many of VP9's repeats of a picture
 * (show_existing_frame; seen with 153), and the video is then empty until the next real one; so the last picture shows through.
 */
export class Backdrop {
  #canvas;
  #video;
  #wanted = false;
  #waiting = false;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {HTMLVideoElement} video
   */
  constructor(canvas, video) {
    this.#canvas = canvas;
    this.#video = video;
  }

  /** @param {string} mime what is played from now on; only some need it */
  follow(mime) {
    this.#wanted = 'mozHasAudio' in this.#video && /\bvp0?9\b/.test(mime) && 'requestVideoFrameCallback' in this.#video;
    this.#video.classList.toggle('over-backdrop', this.#wanted);
    this.#next();
  }

  #next() {
    if (!this.#wanted || this.#waiting) return;
    this.#waiting = true;
    this.#video.requestVideoFrameCallback(() => {
      this.#waiting = false;
      if (this.#wanted) this.#copy();
      this.#next();
    });
  }

  /** What is empty leaves no trace on the canvas. */
  #copy() {
    const { videoWidth, videoHeight } = this.#video;
    if (!videoWidth) return;
    if (this.#canvas.width !== videoWidth || this.#canvas.height !== videoHeight) {
      this.#canvas.width = videoWidth;
      this.#canvas.height = videoHeight;
    }
    this.#canvas.getContext('2d').drawImage(this.#video, 0, 0);
  }
}
