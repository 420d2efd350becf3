// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a person who debugs a player wants to know, taken from its parts. Pure reading, done only when someone looks.

import { canPlay } from './media-support.js';

/**
 * @param {import('./epoch-tracker.js').EpochTracker} current
 * @returns {object} what the stream is
 */
export function streamStats({ epoch, mime, tracks }) {
  return { epoch, mime, tracks, supported: mime ? canPlay(mime) : null };
}

/**
 * @param {HTMLVideoElement} video
 * @param {import('./media-buffer.js').MediaBuffer} buffer
 * @param {import('./live-edge.js').LiveEdge} edge
 * @returns {object} how it plays; times in seconds
 */
export function playbackStats(video, buffer, edge) {
  const quality = video.getVideoPlaybackQuality?.();
  return {
    stalls: edge.stalls,
    gaps: edge.gaps,
    jumps: edge.jumps,
    latency: edge.latency,
    targetLatency: edge.target,
    jitter: edge.jitter,
    quotaTrims: buffer.quotaTrims,
    buffered: buffer.ranges,
    currentTime: video.currentTime,
    readyState: video.readyState,
    playbackRate: video.playbackRate,
    width: video.videoWidth,
    height: video.videoHeight,
    frames: quality?.totalVideoFrames ?? 0,
    droppedFrames: quality?.droppedVideoFrames ?? 0,
  };
}
