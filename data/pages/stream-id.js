// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The one place that knows what a stream's name may look like.

const STREAM_ID = /^[A-Za-z0-9._-]{1,64}$/;

/** What to tell a person whose name was refused. */
export const STREAM_ID_RULE =
  'Use 1 to 64 letters, digits, dots, dashes or underscores.';

/**
 * Whether a text can name a stream.
 *
 * @param {unknown} text
 * @returns {boolean}
 */
export function isStreamId(text) {
  return typeof text === 'string' && STREAM_ID.test(text) && text !== '.' && text !== '..';
}

/**
 * The stream's name in an address such as `/watch/demo`.
 *
 * @param {string} pathname the address's path
 * @param {string} page the page's own folder, `watch` or `broadcast`
 * @returns {{id: string|null, given: boolean}} `id` is null when none was given or it is not valid;
 *   `given` tells the two apart
 */
export function streamIdFromPath(pathname, page) {
  const prefix = `/${page}/`;
  const rest = pathname.startsWith(prefix) ? pathname.slice(prefix.length) : '';
  if (rest === '') return { id: null, given: false };
  let id = rest;
  try {
    id = decodeURIComponent(rest);
  } catch {
    return { id: null, given: true };
  }
  return { id: isStreamId(id) ? id : null, given: true };
}

/**
 * Makes a form with one text field go to `/PAGE/NAME`, refusing what cannot be a name in words.
 *
 * @param {HTMLFormElement} form holds an `input` and an element with the class `field-error`
 * @param {string} page `watch` or `broadcast`
 */
export function bindStreamForm(form, page) {
  const input = form.querySelector('input');
  const problem = form.querySelector('.field-error');
  const show = (text) => {
    problem.textContent = text;
    input.setAttribute('aria-invalid', text ? 'true' : 'false');
  };
  input.addEventListener('input', () => show(''));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const id = input.value.trim();
    if (!isStreamId(id)) {
      show(id === '' ? 'Give the stream a name first.' : STREAM_ID_RULE);
      input.focus();
      return;
    }
    location.assign(`/${page}/${encodeURIComponent(id)}`);
  });
}
