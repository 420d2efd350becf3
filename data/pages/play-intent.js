// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Whether the person wants the video to play, kept apart from whether it does: browsers refuse to start, start only
// without sound, pause hidden videos to save power, and pause and play on behalf of media keys and picture in picture.

/**
 * @typedef {object} IntentHandlers
 * @property {() => boolean} hasMedia whether there is something to play
 * @property {() => boolean} hasSound whether what there is has sound
 * @property {() => void} onPause the person paused by other means than ours, or the browser wants a click
 * @property {() => void} onPlay the person played by other means than ours
 * @property {() => void} onReturn the page is visible again and should be playing
 * @property {(text: string) => void} onLog
 */

/** See the head of the file. */
export class PlayIntent {
  #video;
  #handlers;

  /** Whether the person wants it to play. */
  wanted = false;
  /** Whether the sound is off because the browser, not the person, wants it so. */
  mutedByPolicy = false;

  /**
   * @param {HTMLVideoElement} video
   * @param {IntentHandlers} handlers
   */
  constructor(video, handlers) {
    this.#video = video;
    this.#handlers = handlers;
    video.addEventListener('pause', () => this.#paused());
    video.addEventListener('play', () => {
      if (!this.wanted) handlers.onPlay();
    });
  }

  /** Begins to watch the page's visibility. */
  listen() {
    document.addEventListener('visibilitychange', this.#onVisibility);
  }

  /** Ends that. */
  unlisten() {
    document.removeEventListener('visibilitychange', this.#onVisibility);
  }

  /** Plays if that is wanted and possible, without sound if the browser insists. */
  async tryPlay() {
    const video = this.#video;
    if (!this.wanted || !video.paused || !this.#handlers.hasMedia()) return;
    try {
      await video.play();
    } catch (error) {
      if (error.name !== 'NotAllowedError' || !this.wanted) return;
      if (video.muted) {
        this.#handlers.onLog('the browser wants a click before it plays');
        this.#handlers.onPause();
        return;
      }
      this.muteForNow('the browser wants a click before it plays sound: muted');
      await this.tryPlay();
    }
  }

  /**
   * Takes the sound off for a reason that is not the person's.
   *
   * @param {string} reason for the log
   */
  muteForNow(reason) {
    this.mutedByPolicy = true;
    this.#video.muted = true;
    this.#handlers.onLog(reason);
  }

  #paused() {
    const video = this.#video;
    if (!this.wanted || !video.paused || video.readyState === 0 || !this.#handlers.hasMedia()) return;
    // A hidden video that cannot be heard was paused to save power; `onReturn` plays it again.
    if (document.hidden && (video.muted || !this.#handlers.hasSound())) return;
    this.#handlers.onPause();
  }

  #onVisibility = () => {
    if (document.hidden || !this.wanted) return;
    this.#handlers.onReturn();
    this.tryPlay();
  };
}
