// SPDX-License-Identifier: LGPL-2.1-or-later
// Whatever happens to the broadcaster: it breaks off and comes back, ends, begins new recordings with other tracks, codecs and sizes.
// The same watch pages play on in both browsers.

import assert from 'node:assert/strict';

import { BROWSERS, browserOf } from '../lib/browser.mjs';
import { generate, loadCapture } from '../lib/captures.mjs';
import { startServer } from '../lib/server.mjs';
import { shared, test } from '../lib/test.mjs';
import { Feed, feed, witness } from '../lib/witness.mjs';

const server = shared(() => startServer(), (one) => one.stop());
const hasty = shared(() => startServer({ set: { 'republish-grace-ms': 300 } }), (one) => one.stop());
const browsers = Object.fromEntries(BROWSERS.map((name) => [name, browserOf(name)]));

/* Long enough that no test comes to its end. */
const SECONDS = 90;
const stream = (want) => shared(async () => (await generate({ seconds: SECONDS, ...want })).inTime(), () => {});
const vp8 = stream({});
const vp9 = stream({ video: 'vp9' });
const large = stream({ size: '640x360' });
const sound = stream({ video: null });
const silent = stream({ audio: null });

const both = (fn) => Promise.all(BROWSERS.map(fn));

async function watchers(id, from = server) {
  return both(async (name) => witness(await browsers[name](), await from(), id, name));
}

async function all(t, pages, what, options) {
  const seen = await Promise.all(pages.map((page) => page.survives(what, options)));
  for (const { line } of seen)
    t.diagnostic(line);
  return seen;
}

const mark = (pages) => Promise.all(pages.map((page) => page.mark()));
const close = (pages) => Promise.all(pages.map((page) => page.close()));

test('the connection of the publisher breaks and it comes back, twice', { limit: 240_000 }, async (t) => {
  const pages = await watchers('breaks');
  let source = await feed(await server(), 'breaks', await vp8());
  await all(t, pages, 'start');
  for (const round of [1, 2]) {
    await mark(pages);
    await source.cut();
    await Promise.all(pages.map((page) => page.state('interrupted')));
    source = await feed(await server(), 'breaks', await vp8());
    for (const { stats } of await all(t, pages, `break ${round}`)) {
      assert.equal(stats.epoch, round + 1);
      assert.equal(stats.rebuilds, 0, 'the next epoch goes on in the same buffer');
      assert.equal(stats.reconnects, 0, 'the viewers keep their connections');
    }
  }
  await source.end();
  await close(pages);
});

test('a real recording, sent twice over two connections', { limit: 240_000 }, async (t) => {
  const capture = loadCapture('chrome-vp8-720p.webm');
  const pages = await watchers('capture');
  let source = await feed(await server(), 'capture', capture);
  await all(t, pages, 'start');
  await mark(pages);
  await source.cut();
  await Promise.all(pages.map((page) => page.state('interrupted')));
  source = await feed(await server(), 'capture', capture, { whole: true });
  await all(t, pages, 'the recording again');
  await source.end();
  await close(pages);
});

test('the publisher ends, the grace passes, and another one begins', { limit: 240_000 }, async (t) => {
  const other = await vp9();
  const pages = await watchers('ends', hasty);
  const source = await feed(await hasty(), 'ends', await vp8());
  await all(t, pages, 'start');
  await mark(pages);
  await source.end();
  await Promise.all(pages.map((page) => page.state('ended')));
  const next = await feed(await hasty(), 'ends', other);
  await all(t, pages, 'another publisher after the end');
  await next.end();
  await close(pages);
});

test('a takeover: a new publisher replaces the old one', { limit: 240_000 }, async (t) => {
  const own = await startServer({ set: { 'publisher-conflict': 'takeover' } });
  const pages = await both(async (name) => witness(await browsers[name](), own, 'takeover', name));
  const source = await feed(own, 'takeover', await vp8());
  await all(t, pages, 'start');
  await mark(pages);
  const next = await feed(own, 'takeover', await vp8());
  assert.equal((await source.publisher.closed()).code, 1008);
  await all(t, pages, 'takeover');
  await next.end();
  await close(pages);
  await own.stop();
});

/* One connection, one recording after the other. */
const CHANGES = [
  ['a second recording of the same kind', [vp8, vp8], {}],
  ['other codecs: VP8, VP9, VP8', [vp8, vp9, vp8], {}],
  ['other sizes', [vp8, large, vp8], {}],
  ['other tracks: both, sound only, both', [vp8, sound, vp8], { rebuilds: true }],
  ['other tracks: both, pictures only, both', [vp8, silent, vp8], { rebuilds: true }],
];

for (const [what, recordings, { rebuilds = false }] of CHANGES) {
  test(`one connection, ${what}`, { limit: 240_000 }, async (t) => {
    const id = what.replaceAll(/\W+/g, '-');
    const captures = await Promise.all(recordings.map((recording) => recording()));
    const pages = await watchers(id);
    let source = await feed(await server(), id, captures[0]);
    await all(t, pages, 'start');
    for (let index = 1; index < captures.length; index++) {
      await mark(pages);
      source = new Feed(await source.stop(), captures[index]);
      const seen = await all(t, pages, `recording ${index + 1}`, { frames: recordings[index] !== sound });
      for (const { stats, states, log } of seen) {
        assert.equal(stats.epoch, index + 1);
        // Firefox fails to play sound alone where the machine has no sound device; the player then mutes it and begins anew.
        assert.equal(stats.reconnects, log.some((text) => text.startsWith('no sound device')) ? 1 : 0);
        assert.ok(!states.includes('interrupted'), `nobody was interrupted: ${states}`);
        if (!rebuilds)
          assert.equal(stats.rebuilds, 0, 'it goes on in the same buffer');
        if (recordings[index] === large)
          assert.equal(stats.width, 640);
      }
    }
    await source.end();
    await close(pages);
  });
}
