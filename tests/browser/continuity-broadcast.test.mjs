// SPDX-License-Identifier: LGPL-2.1-or-later
// Whatever happens to the network of the broadcast page: it goes on without a reload, says so in words, and so do the pages of who
// watches, in both browsers.

import assert from 'node:assert/strict';

import { BROWSERS, browserOf } from '../lib/browser.mjs';
import { scene } from '../lib/scene.mjs';
import { startServer } from '../lib/server.mjs';
import { shared, test } from '../lib/test.mjs';

/* A half-open connection is noticed by the server after this time, by the page after its own 6 s. */
const server = shared(() => startServer({ set: { 'publisher-silent-ms': 5000 } }), (one) => one.stop());
const browsers = Object.fromEntries(BROWSERS.map((name) => [name, browserOf(name)]));

for (const from of BROWSERS) {
  test(`${from} broadcasts and its connection is cut, reset, and half-open`, { limit: 240_000 }, async (t) => {
    const { proxy, inState, mark, all, done } = await scene(t, { browsers, server, from, id: `faults-${from}` });
    for (const fault of ['cut', 'reset', 'halfOpen']) {
      await mark();
      proxy[fault]();
      await inState('reconnecting');
      await inState('live');
      const seen = await all(`the broadcaster's connection: ${fault}`);
      // Who sees nothing come for 5 s asks the server, and learns that its own connection is not the dead one.
      assert.deepEqual(seen.map(({ stats }) => stats.reconnects), [0, 0], 'the viewers keep their connections');
    }
    await done();
  });

  test(`${from} broadcasts over a network that becomes too slow for what its camera gives, if not for what was asked for: a lower bitrate, in words`, { limit: 240_000 }, async (t) => {
    const { proxy, page, inState, says, mark, all, fact, done } = await scene(t, { browsers, server, from, id: `slow-${from}`,
      query: { source: 'pattern', audio: 0, width: 640, height: 360, bitrate: 4_000_000 } });
    await mark();
    const { bitrate } = await (await server()).json(`/api/v1/streams/slow-${from}`);
    t.diagnostic(`${from} sends ${Math.round(bitrate / 1000)} kb/s; the network carries half of that from here on`);
    proxy.throttle(bitrate / 8 / 2);
    await inState('slow');
    await says('The network is too slow: restarting at');
    await inState('live');
    await says('The network is slow: at');
    await all('the broadcaster at a lower bitrate');
    assert.equal(await page.evaluate(() => document.querySelector('#state').dataset.state), 'live');
    // Where what waits takes too long to be sent the page begins anew with a new connection, at the lower bitrate too.
    t.diagnostic(`${from} connected again ${await fact('Reconnects')} times`);
    proxy.throttle(Infinity);
    await done();
  });
}
