// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The player's buttons, keys and pointer: play, mute, volume, full screen, and the bar that hides while nobody
// uses it. It knows the view's parts and four actions, nothing about media.

const QUIET_AFTER = 2500;
const VOLUME_STEP = 0.1;

/**
 * @typedef {object} PlayerActions
 * @property {() => boolean} playing whether it is to play
 * @property {() => void} play
 * @property {() => void} pause
 * @property {() => void} soundChosen the person has decided about the sound
 */

/** See the head of the file. */
export class PlayerControls {
  #host;
  #parts;
  #actions;
  #quietTimer = 0;

  /**
   * @param {HTMLElement} host the custom element, which goes full screen and gets the keys
   * @param {Record<string, HTMLElement>} parts of the view
   * @param {PlayerActions} actions
   */
  constructor(host, parts, actions) {
    this.#host = host;
    this.#parts = parts;
    this.#actions = actions;
    const { frame, video, start, unmute, play, mute, volume, full } = parts;
    start.addEventListener('click', () => this.#play());
    play.addEventListener('click', () => this.#togglePlay());
    mute.addEventListener('click', () => this.#setMuted(!video.muted));
    unmute.addEventListener('click', () => {
      this.#setMuted(false);
      mute.focus({ preventScroll: true });
    });
    volume.addEventListener('input', () => {
      video.volume = Number(volume.value);
      this.#setMuted(video.volume === 0);
    });
    full.addEventListener('click', () => this.#toggleFullscreen());
    video.addEventListener('dblclick', () => this.#toggleFullscreen());
    video.addEventListener('volumechange', () => this.show());
    host.addEventListener('keydown', (event) => this.#key(event));
    for (const type of ['pointermove', 'pointerdown', 'focusin', 'keydown']) {
      host.addEventListener(type, () => this.#wake(), { passive: true });
    }
    host.addEventListener('pointerleave', () => this.#quieten());
    frame.addEventListener('contextmenu', (event) => {
      if (event.target === video) event.preventDefault();
    });
  }

  /** Shows what the video and the actions say. */
  show() {
    const { frame, video, play, mute, volume, full } = this.#parts;
    const playing = this.#actions.playing();
    frame.toggleAttribute('data-playing', playing);
    frame.toggleAttribute('data-muted', video.muted);
    setLabel(play, playing ? 'Pause' : 'Play');
    setLabel(mute, video.muted ? 'Turn sound on' : 'Mute');
    mute.setAttribute('aria-pressed', String(video.muted));
    setLabel(full, document.fullscreenElement === this.#host ? 'Leave full screen' : 'Full screen');
    const level = String(video.muted ? 0 : video.volume);
    if (volume.value !== level) volume.value = level;
    if (!playing) this.#wake();
  }

  /** Stops the timer. */
  stop() {
    clearTimeout(this.#quietTimer);
  }

  #play() {
    this.#actions.play();
    this.#parts.play.focus({ preventScroll: true });
  }

  #togglePlay() {
    if (this.#actions.playing()) this.#actions.pause();
    else this.#actions.play();
  }

  #setMuted(muted) {
    const { video } = this.#parts;
    video.muted = muted;
    if (!muted && video.volume === 0) video.volume = 0.5;
    this.#actions.soundChosen();
    this.show();
  }

  async #toggleFullscreen() {
    try {
      if (document.fullscreenElement === this.#host) await document.exitFullscreen();
      else if (this.#host.requestFullscreen) await this.#host.requestFullscreen();
      else this.#parts.video.webkitEnterFullscreen?.();
    } catch {
      // The page that embeds the player may not allow it; nothing is lost.
    }
    this.show();
  }

  #key(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const { video } = this.#parts;
    const target = event.composedPath()[0];
    const onButton = target instanceof HTMLButtonElement;
    const onSlider = target instanceof HTMLInputElement;
    switch (event.key) {
      case ' ':
      case 'Enter':
        if (onButton || onSlider || event.key === 'Enter') return;
        this.#togglePlay();
        break;
      case 'k':
        this.#togglePlay();
        break;
      case 'm':
        this.#setMuted(!video.muted);
        break;
      case 'f':
        this.#toggleFullscreen();
        break;
      case 'ArrowUp':
      case 'ArrowDown': {
        if (onSlider) return;
        const step = event.key === 'ArrowUp' ? VOLUME_STEP : -VOLUME_STEP;
        video.volume = Math.min(1, Math.max(0, (video.muted ? 0 : video.volume) + step));
        this.#setMuted(video.volume === 0);
        break;
      }
      default:
        return;
    }
    event.preventDefault();
  }

  #wake() {
    this.#parts.frame.classList.remove('quiet');
    clearTimeout(this.#quietTimer);
    this.#quietTimer = setTimeout(() => this.#quieten(), QUIET_AFTER);
  }

  #quieten() {
    const { frame } = this.#parts;
    frame.classList.toggle('quiet', this.#actions.playing() && frame.dataset.state === 'live');
  }
}

function setLabel(element, label) {
  if (element.getAttribute('aria-label') === label) return;
  element.setAttribute('aria-label', label);
  element.title = label;
}
