// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The player's state in one word and in a sentence, derived from what is known. A pure function.

/**
 * @typedef {'idle'|'connecting'|'waiting'|'starting'|'live'|'buffering'|'paused'|'interrupted'|'ended'|
 *   'reconnecting'|'unsupported'|'error'} PlayerState
 */

/**
 * @typedef {object} PlayerFacts
 * @property {string} stream its name, empty when none is set
 * @property {string} connection the state of the `LiveConnection`
 * @property {boolean} everConnected
 * @property {number} retryIn seconds until the next attempt
 * @property {string|null} problem why the connection ended
 * @property {string} source `unknown`, `waiting`, `live`, `interrupted` or `ended`, as the server said
 * @property {boolean} picture whether anything was shown since the last join
 * @property {boolean} stalled
 * @property {boolean} wanted whether the person wants it to play
 * @property {string|null} unsupported why it cannot be played here
 * @property {string|null} failure what went wrong for good, or for now
 * @property {boolean} waitsForKeyframe the server says that the next keyframe is still to come
 */

/**
 * @param {PlayerFacts} facts
 * @returns {{state: PlayerState, message: string}}
 */
export function describeState(facts) {
  if (!facts.stream) return { state: 'idle', message: 'No stream chosen.' };
  if (facts.unsupported) return { state: 'unsupported', message: facts.unsupported };
  if (facts.failure) return { state: 'error', message: facts.failure };
  if (!facts.wanted) {
    const message = facts.everConnected ? 'Paused. Press play to go to the live edge.' : 'Press play to watch.';
    return { state: 'paused', message };
  }
  if (facts.connection !== 'open') return disconnected(facts);
  switch (facts.source) {
    case 'waiting':
      return { state: 'waiting', message: 'Waiting for the broadcaster.' };
    case 'interrupted':
      return { state: 'interrupted', message: 'The broadcast was interrupted. It may come back.' };
    case 'ended':
      return { state: 'ended', message: 'The broadcast has ended. Waiting for the next one.' };
    case 'live':
      if (facts.waitsForKeyframe) return { state: 'starting', message: 'Waiting for the next keyframe.' };
      if (!facts.picture) return { state: 'starting', message: 'Starting.' };
      if (facts.stalled) return { state: 'buffering', message: 'Waiting for data.' };
      return { state: 'live', message: 'Live.' };
    default:
      return { state: 'connecting', message: 'Connecting.' };
  }
}

function disconnected(facts) {
  if (facts.connection === 'retrying') {
    const seconds = Math.ceil(facts.retryIn);
    const when = seconds > 1 ? `Trying again in ${seconds} s.` : 'Trying again.';
    return { state: 'reconnecting', message: `${facts.problem ?? 'The connection was lost.'} ${when}` };
  }
  return facts.everConnected
    ? { state: 'reconnecting', message: 'Connecting again.' }
    : { state: 'connecting', message: 'Connecting.' };
}
