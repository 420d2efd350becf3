// SPDX-License-Identifier: LGPL-2.1-or-later
// Real browsers, headless, with fake camera and microphone, that reach nothing but this machine.

import assert from 'node:assert/strict';
import { accessSync, constants } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import puppeteer from 'puppeteer-core';
import { WebSocketServer } from 'ws';

import { SLOWER, Watched, shared } from './test.mjs';

export const BROWSERS = ['chromium', 'firefox'];

const PROGRAMS = { chromium: ['chromium', 'chromium-browser'], firefox: ['firefox-esr', 'firefox'] };

function program(name) {
  for (const folder of (process.env.PATH ?? '').split(path.delimiter)) {
    for (const candidate of PROGRAMS[name]) {
      try {
        const file = path.join(folder, candidate);
        accessSync(file, constants.X_OK);
        return file;
      } catch {
        // not in this folder
      }
    }
  }
  throw new Error(`no ${name} on the PATH`);
}

const CHROMIUM_ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--use-fake-ui-for-media-stream',
  '--use-fake-device-for-media-stream',
  '--autoplay-policy=no-user-gesture-required',
  '--auto-select-desktop-capture-source=Entire screen',
  // Timers and frames of a page that is not in front would be held back.
  '--disable-background-timer-throttling',
  '--disable-renderer-backgrounding',
  '--disable-backgrounding-occluded-windows',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost',
];

const FIREFOX_PREFERENCES = {
  'media.navigator.streams.fake': true,
  'media.navigator.permission.disabled': true,
  'media.autoplay.default': 0,
  'media.autoplay.blocking_policy': 0,
  // Whatever is not this machine goes to a proxy that is not there.
  'network.proxy.type': 1,
  'network.proxy.http': '127.0.0.1',
  'network.proxy.http_port': 9,
  'network.proxy.ssl': '127.0.0.1',
  'network.proxy.ssl_port': 9,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'services.settings.server': 'data:,',
  'app.normandy.enabled': false,
  // Timers of a page that is not in front would be held back.
  'dom.min_background_timeout_value': 4,
  'dom.timeout.enable_budget_timer_throttling': false,
  'widget.windows.window_occlusion_tracking.enabled': false,
};

/** Starts a browser; `options` go to puppeteer. */
export function launch(name, options = {}) {
  return puppeteer.launch({
    browser: name === 'firefox' ? 'firefox' : 'chrome',
    executablePath: program(name),
    headless: true,
    args: name === 'chromium' ? CHROMIUM_ARGUMENTS : [],
    extraPrefsFirefox: FIREFOX_PREFERENCES,
    timeout: 60_000 * SLOWER,
    protocolTimeout: 120_000 * SLOWER,
    ...options,
  });
}

/** One browser of each kind for all tests of a file: `browserOf('firefox')()`. */
export function browserOf(name) {
  return shared(() => launch(name), (browser) => browser.close());
}

/** A page whose errors are kept: what the console and the page itself complain of, and requests to other machines. */
export class WatchedPage extends Watched {
  complaints = [];
  console = [];

  constructor(page, name) {
    super();
    this.page = page;
    this.name = name;
    page.on('console', (message) => {
      this.console.push(`${message.type()}: ${message.text()}`);
      if (message.type() === 'error')
        this.complaints.push(`console: ${message.text()}`);
      this.changed();
    });
    page.on('pageerror', (error) => {
      this.complaints.push(`error: ${error.message}`);
      this.changed();
    });
    page.on('request', (request) => {
      const { protocol, hostname } = new URL(request.url());
      if (!['data:', 'blob:', 'about:'].includes(protocol) && !['127.0.0.1', 'localhost', '[::1]'].includes(hostname))
        this.complaints.push(`request to ${request.url()}`);
    });
    page.on('requestfailed', (request) => this.complaints.push(`failed: ${request.url()} (${request.failure()?.errorText})`));
    page.on('response', (response) => {
      if (response.status() >= 400)
        this.complaints.push(`status ${response.status()}: ${response.url()}`);
    });
  }

  /** Resolves when `condition` (which runs in the page) is truthy; looked at with every frame of the page. */
  async wait(condition, what, ...args) {
    try {
      return await this.page.waitForFunction(condition, { timeout: 60_000 * SLOWER, polling: 50 }, ...args);
    } catch (error) {
      throw new Error(`${this.name}: waited in vain for ${what}: ${error.message}\n${await this.describe()}`, { cause: error });
    }
  }

  evaluate(fn, ...args) {
    return this.page.evaluate(fn, ...args);
  }

  async describe() {
    const [text, videos] = await this.page.evaluate(() => {
      const found = [document.querySelector('relais-player')?.video, ...document.querySelectorAll('video')].filter(Boolean);
      return [document.body?.innerText?.slice(0, 3000), found.map((video) => ({
        at: video.currentTime, readyState: video.readyState, paused: video.paused, error: video.error?.message,
        buffered: Array.from({ length: video.buffered.length }, (_, i) => [video.buffered.start(i), video.buffered.end(i)]),
      }))];
    }).catch((error) => [String(error), []]);
    return `page says:\n${text}\nvideo: ${JSON.stringify(videos)}\nconsole:\n${this.console.slice(-20).join('\n')}`;
  }

  clean() {
    assert.deepEqual(this.complaints, [], this.name);
  }

  async close() {
    await this.page.close();
  }
}

/** Opens an address in a new window of the browser. */
export async function open(browser, address, name = address, { viewport = { width: 1000, height: 700 } } = {}) {
  // A window, not a tab: a tab behind another is hidden, and hidden pages are slowed down.
  const watched = new WatchedPage(await browser.newPage({ type: 'window' }), name);
  await watched.page.setViewport(viewport).catch(() => {});
  await watched.page.goto(address, { waitUntil: 'load', timeout: 60_000 * SLOWER });
  return watched;
}

/** What servePages() gives: the addresses of its pages, and its end. */
class PageServer extends Watched {
  #server;

  constructor(server) {
    super();
    this.#server = server;
  }

  url(rest) {
    return `http://127.0.0.1:${this.#server.address().port}${rest}`;
  }

  ws(rest) {
    return `ws://127.0.0.1:${this.#server.address().port}${rest}`;
  }

  abandon() {
    this.close();
  }

  /** Ends it and every connection to it. */
  close() {
    return new Promise((resolve) => {
      this.#server.close(resolve);
      this.#server.closeAllConnections();
    });
  }
}

/** A web server for pages of the tests' own: `pages` maps a path to its HTML; `socket(ws, request)` takes WebSockets. */
export async function servePages(pages, socket) {
  const server = http.createServer((request, response) => {
    const body = pages[new URL(request.url, 'http://x').pathname];
    if (body === undefined && request.url !== '/favicon.ico') {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(body === undefined ? 204 : 200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' }).end(body);
  });
  if (socket)
    new WebSocketServer({ server, perMessageDeflate: false }).on('connection', socket);
  const pageServer = new PageServer(server);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return pageServer;
}
