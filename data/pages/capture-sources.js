// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Opens what a broadcast shows and says, one track at a time, so that either can be replaced while the other
// goes on; and turns the browser's refusals into words.

import { openCard, openPattern, openTone } from './test-pattern.js';

const REFUSALS = {
  NotAllowedError: (what) => `The browser was not allowed to use the ${what}. Allow it in the address bar, then try again.`,
  SecurityError: (what) => `This page may not use the ${what}.`,
  NotFoundError: (what) => `No ${what} was found.`,
  NotReadableError: (what) => `The ${what} is in use by another program, or does not work.`,
  OverconstrainedError: (what) => `The ${what} cannot do what was asked of it.`,
  AbortError: (what) => `The ${what} could not be started.`,
};

/** An error whose message is meant for the person. */
export class CaptureError extends Error {}

/**
 * What of this page's surroundings stands in the way of a source.
 *
 * @param {'camera'|'screen'|'pattern'|'sound'} kind
 * @returns {string} words, or an empty string
 */
export function whatBlocks(kind) {
  if (typeof MediaRecorder === 'undefined') return 'This browser cannot record (it has no MediaRecorder).';
  if (kind === 'pattern') return '';
  if (!isSecureContext) {
    return 'Camera, microphone and screen need a secure address: open this page over https, or on localhost. The test pattern works here.';
  }
  if (kind === 'screen' && !navigator.mediaDevices?.getDisplayMedia) return 'This browser cannot share a screen.';
  if (!navigator.mediaDevices?.getUserMedia) return 'This browser gives no access to camera and microphone.';
  return '';
}

async function ask(what, request) {
  try {
    return await request();
  } catch (error) {
    const words = REFUSALS[error.name]?.(what) ?? `The ${what} could not be opened: ${error.message}`;
    throw new CaptureError(words, { cause: error });
  }
}

function plain(track) {
  return { track, stop: () => track.stop() };
}

/**
 * Opens a source of pictures.
 *
 * @param {'camera'|'screen'|'pattern'|'card'} kind
 * @param {{width: number, height: number, device?: string, name: string, words?: string, audio?: boolean}} options
 *   `audio`: a shared screen's sound is wanted too
 * @returns {Promise<import('./test-pattern.js').OpenTrack & {sound?: MediaStreamTrack}>} `sound` is a shared screen's own
 * @throws {CaptureError}
 */
export async function openVideo(kind, options) {
  if (kind === 'pattern') return openPattern(options);
  if (kind === 'card') return openCard(options);
  const blocked = whatBlocks(kind);
  if (blocked) throw new CaptureError(blocked);
  const size = { width: { ideal: options.width }, height: { ideal: options.height }, frameRate: { ideal: 30 } };
  if (kind === 'camera') {
    if (options.device) size.deviceId = { exact: options.device };
    const stream = await ask('camera', () => navigator.mediaDevices.getUserMedia({ video: size }));
    return plain(stream.getVideoTracks()[0]);
  }
  const stream = await ask('screen', () =>
    navigator.mediaDevices.getDisplayMedia({ video: size, audio: options.audio ?? false }),
  );
  const track = stream.getVideoTracks()[0];
  return { track, sound: stream.getAudioTracks()[0], stop: () => stream.getTracks().forEach((one) => one.stop()) };
}

/**
 * Opens a source of sound.
 *
 * @param {'microphone'|'tone'} kind
 * @param {{device?: string, mix?: MediaStreamTrack}} options `mix`: another sound to add, such as a shared screen's
 * @returns {Promise<{track: MediaStreamTrack|null, stop: () => void, note?: string}>}
 * @throws {CaptureError}
 */
export async function openAudio(kind, { device, mix } = {}) {
  if (kind === 'tone') return openTone();
  const blocked = whatBlocks('sound');
  if (blocked) throw new CaptureError(blocked);
  const audio = device ? { deviceId: { exact: device } } : true;
  const stream = await ask('microphone', () => navigator.mediaDevices.getUserMedia({ audio }));
  const track = stream.getAudioTracks()[0];
  return mix ? mixed(track, mix) : plain(track);
}

function mixed(first, second) {
  const context = new AudioContext();
  const output = context.createMediaStreamDestination();
  for (const track of [first, second]) context.createMediaStreamSource(new MediaStream([track])).connect(output);
  const [track] = output.stream.getAudioTracks();
  return {
    track,
    stop: () => {
      track.stop();
      first.stop();
      context.close();
    },
  };
}

/**
 * The cameras and microphones there are. Browsers hide their names until one was allowed.
 *
 * @returns {Promise<{cameras: MediaDeviceInfo[], microphones: MediaDeviceInfo[]}>}
 */
export async function listDevices() {
  const devices = (await navigator.mediaDevices?.enumerateDevices?.().catch(() => [])) ?? [];
  const named = devices.filter((device) => device.deviceId !== '');
  return {
    cameras: named.filter((device) => device.kind === 'videoinput'),
    microphones: named.filter((device) => device.kind === 'audioinput'),
  };
}

/**
 * Whether the camera may be opened without asking the person.
 *
 * @returns {Promise<boolean>}
 */
export async function cameraAllowed() {
  try {
    return (await navigator.permissions.query({ name: 'camera' })).state === 'granted';
  } catch {
    return false;
  }
}
