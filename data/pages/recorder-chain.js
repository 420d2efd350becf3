// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One MediaRecorder after the other into one sink. A new recording starts only when the last byte of the one before was
// delivered: its first bytes are a new EBML header, which the server takes as a new epoch.

const STOP_LIMIT = 3000;
const KEYFRAME_INTERVAL = 2000;
const AUDIO_BITRATE = 96_000;

/**
 * @typedef {object} RecordingOptions
 * @property {string} mimeType
 * @property {number} bitrate of the pictures, bits a second
 * @property {number} timeslice milliseconds a chunk
 */

/** See the head of the file. */
export class RecorderChain {
  #onError;
  #recorder = null;
  #stopped = Promise.resolve();
  #queue = Promise.resolve();

  /** How many recordings were started. */
  recordings = 0;

  /**
   * @param {(message: string) => void} onError the recorder gave up; nothing is recorded any more
   */
  constructor(onError) {
    this.#onError = onError;
  }

  /** The recorder's own word: `inactive` or `recording`. */
  get state() {
    return this.#recorder?.state ?? 'inactive';
  }

  /** The type the browser says it records; empty while it does not. */
  get mimeType() {
    return this.#recorder?.mimeType ?? '';
  }

  /**
   * Ends the present recording, if any, and starts one of this stream.
   *
   * @param {MediaStream} stream
   * @param {RecordingOptions} options
   * @param {(chunk: Blob) => void} onChunk gets this recording's chunks in order, never an empty one
   * @returns {Promise<void>} rejected when the browser refuses to record it
   */
  start(stream, options, onChunk) {
    return this.#enqueue(async () => {
      await this.#end();
      this.#begin(stream, options, onChunk);
    });
  }

  /**
   * Ends the recording.
   *
   * @returns {Promise<void>} fulfilled when its last chunk was delivered
   */
  stop() {
    return this.#enqueue(() => this.#end());
  }

  #enqueue(task) {
    const run = this.#queue.then(task);
    this.#queue = run.catch(() => {});
    return run;
  }

  async #end() {
    const recorder = this.#recorder;
    if (!recorder) return;
    if (recorder.state !== 'inactive') recorder.stop();
    await Promise.race([this.#stopped, new Promise((resolve) => setTimeout(resolve, STOP_LIMIT))]);
    recorder.ondataavailable = null;
    this.#recorder = null;
  }

  #begin(stream, { mimeType, bitrate, timeslice }, onChunk) {
    const recorder = new MediaRecorder(stream, {
      mimeType,
      videoBitsPerSecond: bitrate,
      audioBitsPerSecond: AUDIO_BITRATE,
      videoKeyFrameIntervalDuration: KEYFRAME_INTERVAL,
    });
    recorder.ondataavailable = ({ data }) => {
      if (data.size > 0) onChunk(data);
    };
    recorder.onerror = (event) => {
      this.#onError(event.error?.message || 'The browser stopped recording.');
    };
    this.#stopped = new Promise((resolve) => {
      recorder.onstop = resolve;
    });
    recorder.start(timeslice);
    this.#recorder = recorder;
    this.recordings += 1;
  }
}
