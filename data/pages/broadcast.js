// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The broadcast page's document: settings in, state out. Parameters of the address, for tests and measurements:
// source=camera|screen|pattern|sound, audio=0|1, codec=vp8|vp9|av1|h264|opus, width=, height=, bitrate= (bits a second),
// timeslice= (milliseconds), autostart=1.

import { Studio } from './broadcast-studio.js';
import { cameraAllowed, listDevices, whatBlocks } from './capture-sources.js';
import { formatBitrate, formatBytes, formatCount } from './format.js';
import { bindCopy, EventLog, FactList } from './panel.js';
import { canRecordSound, videoFormats } from './recorder-formats.js';
import { bindStreamForm, streamIdFromPath, STREAM_ID_RULE } from './stream-id.js';

const SHOW = 250;
const TIMESLICE = 100;
const STATE_WORDS = {
  idle: 'Not live', connecting: 'Connecting', live: 'Live', slow: 'Slow network', reconnecting: 'Reconnecting',
  stopping: 'Stopping', failed: 'Not live',
};
const SOURCE_HINTS = {
  camera: ['Your browser will ask for the camera and the microphone.', 'Turn on the camera'],
  screen: ['Your browser will ask what to share.', 'Choose a screen'],
  pattern: ['', 'Show the test pattern'],
  sound: ['Only sound is broadcast. Your browser will ask for the microphone.', 'Turn on the microphone'],
};

const element = (id) => document.getElementById(id);
const parameters = new URLSearchParams(location.search);

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** The page of one stream. */
class BroadcastPage {
  #form = element('settings');
  #studio;
  #log = new EventLog(element('log'), element('log-panel'));
  #figures = new FactList(element('figures'));
  #facts = new FactList(element('facts'), ['Recording', 'Last error']);
  #wakeLock = null;

  constructor(id) {
    document.title = `${id} · Broadcast · relais`;
    element('stage').hidden = false;
    element('title').textContent = id;
    const watchAddress = new URL(`/watch/${encodeURIComponent(id)}`, location.href).href;
    bindCopy(element('copy'), element('watch-address'), watchAddress);
    element('watch-link').href = watchAddress;
    this.#fillCodecs();
    this.#takeParameters();
    const url = new URL(`/publish/${encodeURIComponent(id)}`, location.href);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    this.#studio = new Studio(id, url, this.#read(), {
      onChange: () => this.#changed(),
      onWarning: (words) => this.#warn(words),
      onLog: (text) => this.#log.add({ time: Date.now(), text }),
    });
    this.#bind();
    this.#changed();
    setInterval(() => this.#show(), SHOW);
    this.#begin();
  }

  async #begin() {
    await this.#fillDevices();
    if (parameters.get('autostart') === '1') {
      await this.#studio.start();
    } else {
      await this.#previewIfFree();
    }
  }

  /* Settings. */

  #fillCodecs() {
    const select = this.#form.elements.codec;
    for (const { id, name, note } of videoFormats()) select.append(new Option(`${name}: ${note}`, id));
    for (const input of this.#form.elements.source) {
      const sound = input.value === 'sound';
      input.disabled = Boolean(whatBlocks(input.value)) || (sound ? !canRecordSound() : select.options.length === 0);
    }
  }

  #takeParameters() {
    const { source, codec, size, bitrate, audio } = this.#form.elements;
    const wanted = parameters.get('codec') === 'opus' ? 'sound' : parameters.get('source');
    if (['camera', 'screen', 'pattern', 'sound'].includes(wanted)) source.value = wanted;
    else if ([...source].every((input) => !input.checked || input.disabled)) source.value = 'pattern';
    if ([...codec.options].some(({ value }) => value === parameters.get('codec'))) codec.value = parameters.get('codec');
    else if (parameters.has('codec') && wanted !== 'sound') this.#warn('This browser cannot record the codec that the address asks for.');
    audio.checked = parameters.get('audio') !== '0';
    const width = Number(parameters.get('width'));
    const height = Number(parameters.get('height'));
    if (width > 0 && height > 0) choose(size, `${width}x${height}`, `${width} × ${height}`);
    const bits = Number(parameters.get('bitrate'));
    if (bits > 0) choose(bitrate, String(bits), formatBitrate(bits));
  }

  async #fillDevices() {
    const { cameras, microphones } = await listDevices();
    fillDevices(this.#form.elements.camera, cameras, 'Default camera', 'Camera');
    fillDevices(this.#form.elements.microphone, microphones, 'Default microphone', 'Microphone');
  }

  #read() {
    const { source, audio, camera, microphone, codec, size, bitrate } = this.#form.elements;
    const [width, height] = size.value.split('x').map(Number);
    return {
      source: source.value, audio: audio.checked, camera: camera.value, microphone: microphone.value,
      codec: codec.value, width, height, bitrate: Number(bitrate.value),
      timeslice: Number(parameters.get('timeslice')) || TIMESLICE,
    };
  }

  /** Sets the form back to what is really in use. */
  #write(settings) {
    const { source, audio, camera, microphone, codec, size, bitrate } = this.#form.elements;
    source.value = settings.source;
    audio.checked = settings.audio;
    camera.value = settings.camera;
    microphone.value = settings.microphone;
    codec.value = settings.codec;
    size.value = `${settings.width}x${settings.height}`;
    bitrate.value = String(settings.bitrate);
  }

  /** A preview is shown unasked only where the browser asks nothing. */
  async #previewIfFree() {
    const { source } = this.#studio.settings;
    const free = source === 'pattern' || (source === 'camera' && !whatBlocks('camera') && (await cameraAllowed()));
    if (free && !this.#studio.stream) await this.#studio.preview();
  }

  /* What the person does. */

  #bind() {
    this.#form.addEventListener('submit', (event) => event.preventDefault());
    this.#form.addEventListener('change', () => this.#settingsChanged());
    element('open-source').addEventListener('click', async () => {
      if (await this.#studio.preview()) await this.#fillDevices();
    });
    element('start').addEventListener('click', async () => {
      if (this.#studio.session.active) {
        await this.#studio.stop();
      } else if (await this.#studio.start()) {
        await this.#fillDevices();
      }
    });
    element('picture-off').addEventListener('click', () => this.#studio.setPictureOff(!this.#studio.pictureOff));
    element('sound-off').addEventListener('click', () => this.#studio.setSoundOff(!this.#studio.soundOff));
    document.addEventListener('visibilitychange', () => this.#holdWakeLock());
    navigator.mediaDevices?.addEventListener?.('devicechange', () => this.#fillDevices());
    addEventListener('beforeunload', (event) => {
      if (this.#studio.session.active && parameters.get('autostart') !== '1') event.preventDefault();
    });
  }

  async #settingsChanged() {
    this.#showRows();
    if (!(await this.#studio.change(this.#read()))) this.#write(this.#studio.settings);
    await this.#previewIfFree();
    this.#changed();
  }

  /** The screen stays on while live; browsers take the lock back when the tab is hidden. */
  async #holdWakeLock() {
    const wanted = this.#studio.session.active;
    if (wanted && !this.#wakeLock && !document.hidden && navigator.wakeLock) {
      try {
        const lock = await navigator.wakeLock.request('screen');
        this.#wakeLock = lock;
        lock.addEventListener('release', () => {
          if (this.#wakeLock === lock) this.#wakeLock = null;
        });
      } catch {
        // Low battery, or not allowed: the broadcast goes on.
      }
    } else if (!wanted) {
      this.#wakeLock?.release();
    }
  }

  /* What the person sees. */

  #warn(words) {
    const box = element('warning');
    setText(box, words);
    box.hidden = words === '';
  }

  #changed() {
    const studio = this.#studio;
    const { session, stream, settings } = studio;
    const preview = element('preview');
    if (preview.srcObject !== stream) {
      preview.srcObject = stream;
      if (stream) preview.play().catch(() => {});
    }
    const open = stream !== null;
    const [hint, action] = SOURCE_HINTS[settings.source];
    const blocked = whatBlocks(settings.source);
    element('hint').hidden = open && settings.source !== 'sound';
    setText(element('hint-text'), blocked || (open ? 'Only sound is broadcast.' : hint));
    element('open-source').hidden = open || Boolean(blocked);
    setText(element('open-source'), action);

    const { active, state } = session;
    const start = element('start');
    start.classList.toggle('stop', active);
    start.classList.toggle('primary', !active);
    start.disabled = state === 'stopping' || Boolean(blocked);
    setText(start, active ? 'Stop broadcasting' : 'Start broadcasting');
    const device = settings.source === 'camera' ? 'camera' : 'screen';
    const picture = element('picture-off');
    picture.hidden = !open || !['camera', 'screen'].includes(settings.source);
    picture.setAttribute('aria-pressed', String(studio.pictureOff));
    setText(picture, studio.pictureOff ? `Turn ${device} on` : `Turn ${device} off`);
    const sound = element('sound-off');
    sound.hidden = !open || !studio.hasSound;
    sound.setAttribute('aria-pressed', String(studio.soundOff));
    setText(sound, studio.soundOff ? 'Unmute sound' : 'Mute sound');
    const pill = element('state');
    pill.dataset.state = state;
    setText(pill, STATE_WORDS[state]);
    setText(element('message'), state === 'failed' ? '' : session.message);
    this.#showRows();
    this.#holdWakeLock();
    this.#show();
  }

  #showRows() {
    const { source, audio } = this.#form.elements;
    const picture = source.value !== 'sound';
    element('camera-row').hidden = source.value !== 'camera';
    element('audio-row').hidden = !picture;
    element('microphone-row').hidden = source.value === 'pattern' || (picture && !audio.checked);
    element('codec-row').hidden = !picture;
    element('picture-rows').hidden = !picture;
  }

  #show() {
    const { session } = this.#studio;
    const viewers = Number.isFinite(session.viewers) ? session.viewers : NaN;
    setText(element('viewers'), session.active && !Number.isNaN(viewers) ? formatCount(viewers, 'viewer') : '');
    this.#log.flush();
    if (!element('debug').open) return;
    this.#figures.show({
      Viewers: Number.isNaN(viewers) ? '–' : String(viewers),
      Bitrate: session.active ? formatBitrate(session.bitrate) : '–',
      Waiting: formatBytes(session.waiting),
    });
    this.#facts.show({
      Connection: STATE_WORDS[session.state],
      Recorder: session.recorderState,
      Chunks: String(session.counters.chunks),
      Bytes: formatBytes(session.counters.bytes),
      'Asked bitrate': session.active ? formatBitrate(session.targetBitrate) : '–',
      'bufferedAmount': formatBytes(session.bufferedAmount),
      Recordings: String(session.recordings),
      Reconnects: String(session.counters.reconnects),
      Recording: (session.active && session.mimeType) || this.#studio.mimeType || 'nothing this browser can record',
      'Last error': session.lastError || 'none',
    });
  }
}

/** Selects a value, adding it first where it is not among the choices. */
function choose(select, value, label) {
  if (![...select.options].some((option) => option.value === value)) select.append(new Option(label, value));
  select.value = value;
}

function fillDevices(select, devices, first, word) {
  const chosen = select.value;
  const options = devices.map((device, i) => new Option(device.label || `${word} ${i + 1}`, device.deviceId));
  select.replaceChildren(new Option(first, ''), ...options);
  if (devices.some(({ deviceId }) => deviceId === chosen)) select.value = chosen;
}

const { id, given } = streamIdFromPath(location.pathname, 'broadcast');
if (id) {
  new BroadcastPage(id);
} else {
  const form = element('ask');
  form.hidden = false;
  if (given) element('ask-why').textContent = `That cannot be a stream’s name. ${STREAM_ID_RULE}`;
  bindStreamForm(form, 'broadcast');
  form.querySelector('input').focus();
}
