// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What is broadcast: one source of pictures and one of sound, opened as the settings ask, and the session they go to.
// Every change takes its turn in one queue; what a change replaces is closed only when the recording has moved on, and
// when something cannot be opened, what was there goes on. No document here: broadcast.js shows it.

import { BroadcastSession } from './broadcast-session.js';
import { CaptureError, openAudio, openVideo } from './capture-sources.js';
import { recorderType, suitableBitrate } from './recorder-formats.js';

/**
 * @typedef {object} Settings
 * @property {'camera'|'screen'|'pattern'|'sound'} source
 * @property {boolean} audio
 * @property {string} camera a device, or empty
 * @property {string} microphone a device, or empty
 * @property {string} codec
 * @property {number} width
 * @property {number} height
 * @property {number} bitrate bits a second; 0 for one that suits the size
 * @property {number} timeslice milliseconds a chunk
 */

/**
 * @typedef {object} StudioHandlers
 * @property {() => void} onChange
 * @property {(words: string) => void} onWarning something the person should know; empty to take it back
 * @property {(text: string) => void} onLog
 */

/** See the head of the file. */
export class Studio {
  #name;
  #handlers;
  #settings;
  #video = null;
  #audio = null;
  #stream = null;
  #queue = Promise.resolve();
  #pictureOff = false;
  #cardWords = '';
  #soundOff = false;

  /** The connection side, for its counters and state. */
  session;

  /**
   * @param {string} name the stream's
   * @param {URL} url the WebSocket address to publish to
   * @param {Settings} settings
   * @param {StudioHandlers} handlers
   */
  constructor(name, url, settings, handlers) {
    this.#name = name;
    this.#settings = settings;
    this.#handlers = handlers;
    this.session = new BroadcastSession(url, { onChange: () => this.#sessionChanged(), onLog: handlers.onLog });
  }

  /** @returns {Settings} */
  get settings() {
    return this.#settings;
  }

  /** The stream of the present sources; null while none is open. */
  get stream() {
    return this.#stream;
  }

  /** Whether pictures are replaced by a card. */
  get pictureOff() {
    return this.#pictureOff;
  }

  get soundOff() {
    return this.#soundOff;
  }

  get hasSound() {
    return this.#audio !== null;
  }

  /** What the recorder is asked to make of the present sources. */
  get mimeType() {
    const video = this.#stream ? this.#video !== null : this.#settings.source !== 'sound';
    const audio = this.#stream ? this.#audio !== null : this.#settings.audio;
    return recorderType(this.#settings.codec, { video, audio });
  }

  /**
   * Takes over settings. While sources are open they are exchanged, during a broadcast too.
   *
   * @param {Settings} settings
   * @returns {Promise<boolean>} false when a source could not be opened and the old settings stand
   */
  change(settings) {
    return this.#enqueue(async () => {
      const before = this.#settings;
      if (settings.source !== before.source || settings.camera !== before.camera) this.#pictureOff = false;
      this.#settings = settings;
      if (!this.#stream) return true;
      const done = await this.#open();
      if (!done) this.#settings = before;
      return done;
    });
  }

  /**
   * Opens the sources for a preview.
   *
   * @returns {Promise<boolean>}
   */
  preview() {
    return this.#enqueue(() => this.#open());
  }

  /**
   * Opens what is not open and starts to broadcast.
   *
   * @returns {Promise<boolean>}
   */
  start() {
    return this.#enqueue(async () => {
      if (this.session.active || !(await this.#open())) return false;
      if (!this.mimeType) {
        this.#handlers.onWarning('This browser cannot record anything the server takes (WebM or Matroska).');
        return false;
      }
      this.session.start(this.#stream, this.#recording());
      return true;
    });
  }

  /** Ends the broadcast; the preview stays. */
  stop() {
    return this.#enqueue(() => this.session.stop());
  }

  /** @param {boolean} off shows a card in place of the camera or screen, and lets go of the device */
  setPictureOff(off) {
    return this.#enqueue(async () => {
      this.#pictureOff = off;
      this.#cardWords = this.#settings.source === 'screen' ? 'Screen sharing is paused' : 'The camera is off';
      if (!(await this.#open())) this.#pictureOff = !off;
      this.#handlers.onChange();
    });
  }

  /** @param {boolean} off sends silence */
  setSoundOff(off) {
    this.#soundOff = off;
    if (this.#audio) this.#audio.track.enabled = !off;
    this.#handlers.onChange();
  }

  #enqueue(task) {
    const run = this.#queue.then(task);
    this.#queue = run.catch((error) => this.#handlers.onLog(`error: ${error.message}`));
    return run;
  }

  #sessionChanged() {
    if (this.session.state === 'failed') this.#handlers.onWarning(this.session.message);
    this.#handlers.onChange();
  }

  #recording() {
    const { width, height, bitrate, timeslice } = this.#settings;
    return { mimeType: this.mimeType, bitrate: bitrate || suitableBitrate(width, height), timeslice };
  }

  /** Opens what the settings ask for and is not open yet, then moves the recording over. */
  async #open() {
    this.#handlers.onWarning('');
    let video = null;
    let audio = null;
    try {
      video = await this.#wantedVideo();
      audio = await this.#wantedAudio(video);
    } catch (error) {
      if (video && video !== this.#video) video.stop();
      if (!(error instanceof CaptureError)) throw error;
      this.#handlers.onLog(error.message);
      this.#handlers.onWarning(error.message);
      return false;
    }
    const old = [this.#video, this.#audio].filter((source) => source && source !== video && source !== audio);
    const changed = old.length > 0 || video !== this.#video || audio !== this.#audio || !this.#stream;
    this.#video = video;
    this.#audio = audio;
    if (changed) this.#stream = new MediaStream([video, audio].filter(Boolean).map(({ track }) => track));
    if (audio) audio.track.enabled = !this.#soundOff;
    if (this.session.active) await this.session.replace(this.#stream, this.#recording());
    for (const source of old) source.stop();
    this.#handlers.onChange();
    return true;
  }

  async #wantedVideo() {
    const { source, width, height, camera, audio } = this.#settings;
    if (source === 'sound') return null;
    const kind = this.#pictureOff ? 'card' : source;
    const options = { width, height, device: camera, audio, name: this.#name, words: this.#cardWords };
    const key = JSON.stringify([kind, width, height, kind === 'camera' ? camera : '', kind === 'card' ? this.#cardWords : '']);
    if (this.#video?.key === key && this.#video.track.readyState === 'live') return this.#video;
    const opened = await openVideo(kind, options);
    const label = opened.track.label || kind;
    this.#handlers.onLog(`opened ${label}`);
    opened.track.addEventListener('ended', () => this.#videoEnded(opened.track));
    return { ...opened, key };
  }

  async #wantedAudio(video) {
    const { source, audio, microphone } = this.#settings;
    if (!audio && source !== 'sound') return null;
    const kind = source === 'pattern' ? 'tone' : 'microphone';
    const mix = video?.sound?.readyState === 'live' ? video.sound : undefined;
    const key = JSON.stringify([kind, kind === 'tone' ? '' : microphone, mix?.id ?? '']);
    if (this.#audio?.key === key && this.#audio.track.readyState === 'live') return this.#audio;
    let opened;
    try {
      opened = await openAudio(kind, { device: microphone, mix });
    } catch (error) {
      if (source === 'sound' || !(error instanceof CaptureError)) throw error;
      this.#handlers.onLog(error.message);
      this.#handlers.onWarning(`${error.message} Going on without a microphone.`);
      if (!mix) return null;
      opened = { track: mix, stop: () => {} };
    }
    if (opened.note) {
      this.#handlers.onLog(opened.note);
      this.#handlers.onWarning(opened.note);
    }
    if (!opened.track) return null;
    opened.track.addEventListener('ended', () => this.#audioEnded(opened.track));
    return { ...opened, key };
  }

  /** The device went away or the person stopped sharing: a card takes its place, the sound goes on. */
  #videoEnded(track) {
    if (this.#video?.track !== track) return;
    const words = this.#settings.source === 'screen' ? 'Screen sharing has ended' : 'The camera has stopped';
    this.#handlers.onLog(words);
    this.#enqueue(async () => {
      if (this.#video?.track !== track) return;
      this.#pictureOff = true;
      this.#cardWords = words;
      await this.#open();
      this.#handlers.onWarning(`${words}. A still card is shown instead.`);
    });
  }

  #audioEnded(track) {
    if (this.#audio?.track !== track) return;
    this.#handlers.onLog('the microphone has stopped');
    this.#enqueue(async () => {
      if (this.#audio?.track !== track) return;
      await this.#open();
      this.#handlers.onWarning('The microphone has stopped.');
    });
  }
}
