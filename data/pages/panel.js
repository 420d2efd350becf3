// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Small views that two pages share: an address to copy, and for people who debug a list of facts that
// touches the document only where a value changed, and a bounded event log that is not touched at all while it is closed.

import { formatTime } from './format.js';

const LOG_LINES = 200;
const SAY_COPIED = 2000;

/**
 * Shows an address in a field, with a button that copies it.
 *
 * @param {HTMLButtonElement} button
 * @param {HTMLInputElement} field
 * @param {string} address
 */
export function bindCopy(button, field, address) {
  const word = button.textContent;
  field.value = address;
  field.addEventListener('focus', () => field.select());
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(address);
    } catch {
      // Insecure pages have no clipboard; the old way still works there.
      field.select();
      document.execCommand('copy');
    }
    button.textContent = 'Copied';
    setTimeout(() => {
      button.textContent = word;
    }, SAY_COPIED);
  });
}

/** A definition list of names and values. */
export class FactList {
  #list;
  #values = new Map();

  /**
   * @param {HTMLDListElement} list
   * @param {string[]} [wide] the names whose values get a line of their own, in the typeface of code
   */
  constructor(list, wide = []) {
    this.#list = list;
    this.wide = new Set(wide);
  }

  /**
   * @param {Record<string, string>} facts all of them, always in the same order
   */
  show(facts) {
    for (const [name, value] of Object.entries(facts)) {
      const known = this.#values.get(name) ?? this.#add(name);
      if (known.textContent !== value) known.textContent = value;
    }
  }

  #add(name) {
    const term = document.createElement('dt');
    const value = document.createElement('dd');
    term.textContent = name;
    if (this.wide.has(name)) {
      term.className = 'wide';
      value.className = 'wide mono';
    }
    if (this.#list.classList.contains('figures')) {
      const group = document.createElement('div');
      group.append(term, value);
      this.#list.append(group);
    } else {
      this.#list.append(term, value);
    }
    this.#values.set(name, value);
    return value;
  }
}

/** An event log in a `details` element. */
export class EventLog {
  #list;
  #panel;
  #waiting = [];

  /**
   * @param {HTMLOListElement} list
   * @param {HTMLDetailsElement} panel
   */
  constructor(list, panel) {
    this.#list = list;
    this.#panel = panel;
    panel.addEventListener('toggle', () => this.flush());
  }

  /**
   * @param {{time: number, text: string}} entry
   */
  add(entry) {
    this.#waiting.push(entry);
    if (this.#waiting.length > LOG_LINES) this.#waiting.shift();
  }

  /** Shows what was added since the last time; to be called a few times a second. */
  flush() {
    if (!this.#panel.open || this.#waiting.length === 0) return;
    const list = this.#list;
    const atEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 8;
    for (const { time, text } of this.#waiting) {
      const item = document.createElement('li');
      const when = document.createElement('time');
      const what = document.createElement('span');
      when.textContent = formatTime(time);
      what.textContent = text;
      item.append(when, what);
      list.append(item);
    }
    this.#waiting = [];
    while (list.childElementCount > LOG_LINES) list.firstElementChild.remove();
    if (atEnd) list.scrollTop = list.scrollHeight;
  }
}
