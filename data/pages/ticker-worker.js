// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A timer that goes on in a hidden tab: browsers slow the timers of pages, not those of their workers.
// The page sends the interval in milliseconds, 0 to stop.

let timer = 0;

self.onmessage = ({ data }) => {
  clearInterval(timer);
  if (data > 0) timer = setInterval(() => self.postMessage(0), data);
};
