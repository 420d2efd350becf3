// SPDX-License-Identifier: LGPL-2.1-or-later
// A broadcast page and the pages that watch it, for tests of what happens to the former.

import assert from 'node:assert/strict';

import { BROWSERS } from './browser.mjs';
import { startProxy } from './fault-proxy.mjs';
import { broadcast } from './pages.mjs';
import { NETWORK_WORDS, witness } from './witness.mjs';

/* A number of the debug panel; runs in the page. */
const FACT = (name) => Number(Array.from(document.querySelectorAll('#debug dt')).find((term) => term.textContent === name)?.nextElementSibling.textContent);

/**
 * A broadcast page behind a proxy, and a watch page in each browser of `to`; `all(what)` demands that each of them plays on. `browsers`
 * and `server` give what tests share.
 */
export async function scene(t, { browsers, server, from, to = BROWSERS, id, query }) {
  const proxy = await startProxy(await server());
  t.after(() => proxy.close());
  const page = await broadcast(await browsers[from](), proxy, id, query);
  page.name = `broadcast ${id} in ${from}`;
  await page.evaluate(() => {
    window.notReloaded = true;
    document.querySelector('#debug').open = true;
  });
  const watching = await Promise.all(to.map(async (name) => witness(await browsers[name](), await server(), id, name)));
  const all = async (what, options) => {
    const seen = await Promise.all(watching.map((one) => one.survives(what, options)));
    for (const { line } of seen)
      t.diagnostic(`${from} broadcasts: ${line}`);
    return seen;
  };
  await all('start');
  return {
    proxy, page, all,
    mark: () => Promise.all(watching.map((one) => one.mark())),
    inState: (word) => page.wait((wanted) => document.querySelector('#state').dataset.state === wanted, `the broadcast to be ${word}`, word),
    says: (words) => page.wait((wanted) => document.querySelector('#message').textContent.includes(wanted), `the words "${words}"`, words),
    fact: (name) => page.evaluate(FACT, name),
    moreThan: (name, count) => page.wait(`(${FACT})('${name}') > ${count}`, `more than ${count} ${name}`),
    async done() {
      assert.ok(await page.evaluate(() => window.notReloaded), 'the broadcast page was not loaded again');
      for (const one of watching)
        await one.close({ faults: true });
      page.complaints = page.complaints.filter((words) => !NETWORK_WORDS.test(words));
      page.clean();
      await page.close();
    },
  };
}
