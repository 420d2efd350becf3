// SPDX-License-Identifier: LGPL-2.1-or-later
// Pictures of the pages while they are in use: `node tools/screenshots.mjs [FOLDER [variants]]`, by default docs/. With `variants`
// each page is also taken at phone width and in dark. Needs RELAIS_BINARY or a build beside the tree.

import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { launch, open } from '../lib/browser.mjs';
import { broadcast, playsOn, watchPage } from '../lib/pages.mjs';
import { startServer } from '../lib/server.mjs';

const DOCS = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../docs');
const folder = process.argv[2] ?? DOCS;
const LOOKS = [
  { name: '', viewport: { width: 1200, height: 800 }, scheme: 'light' },
  ...process.argv[3] === 'variants' ? [
    { name: '-dark', viewport: { width: 1200, height: 800 }, scheme: 'dark' },
    { name: '-phone', viewport: { width: 390, height: 844, deviceScaleFactor: 2 }, scheme: 'light' },
    { name: '-phone-dark', viewport: { width: 390, height: 844, deviceScaleFactor: 2 }, scheme: 'dark' },
  ] : [],
];

const server = await startServer();
const browser = await launch('chromium');
try {
  const pages = {
    broadcast: await broadcast(browser, server, 'demo', { source: 'pattern', audio: 1 }),
    watch: await watchPage(browser, server, 'demo'),
  };
  await playsOn(pages.watch, { seconds: 4 });
  pages.index = await open(browser, server.url('/'), 'index');
  await pages.index.wait(() => document.body.innerText.includes('demo'), 'the live stream in the list');
  for (const [name, page] of Object.entries(pages)) {
    for (const look of LOOKS) {
      await page.page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: look.scheme }]);
      await page.page.setViewport(look.viewport);
      // Two frames: one to lay out, one to show.
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
      const file = path.join(folder, `screenshot-${name}${look.name}.png`);
      await page.page.screenshot({ path: file, fullPage: look.name.includes('phone') });
      console.log(file);
    }
    page.clean();
  }
} finally {
  await browser.close();
  await server.stop();
}
