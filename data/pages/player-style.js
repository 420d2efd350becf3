// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The style of the player's shadow tree. A page may set --relais-accent and the element's size and radius.

/** CSS text. */
export const PLAYER_STYLE = `
:host {
  --accent: var(--relais-accent, #58c4b8);
  display: block;
  position: relative;
  aspect-ratio: 16 / 9;
  overflow: hidden;
  background: #0b0f10;
  color: #f4f7f7;
  font: 400 15px/1.4 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  container-type: inline-size;
}
:host([hidden]) { display: none; }
:host(:focus-visible) { outline: 3px solid var(--accent); outline-offset: 3px; }
:host(:fullscreen) { border-radius: 0; width: 100%; height: 100%; }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
.frame, video, .still, .backdrop { position: absolute; inset: 0; width: 100%; height: 100%; }
video, .still, .backdrop { object-fit: contain; background: #0b0f10; }
video.over-backdrop { background: none; }
video { outline: none; }
.still, .sound-only { visibility: hidden; }
.still.shown { visibility: visible; }

.sound-only {
  position: absolute; inset: 0; display: grid; place-content: center; justify-items: center; gap: 8px;
  color: #9fb2b1;
}
.sound-only svg { width: 48px; height: 48px; }
.frame[data-kind="audio"] .sound-only { visibility: visible; }

svg { display: block; width: 24px; height: 24px; fill: currentColor; }
button {
  display: inline-grid; place-items: center; min-width: 44px; min-height: 44px; padding: 0; border: 0;
  border-radius: 8px; background: none; color: inherit; font: inherit; cursor: pointer;
  -webkit-tap-highlight-color: transparent;
}
button:hover { background: rgb(255 255 255 / 14%); }
:is(button, input):focus-visible { outline: 2px solid #fff; outline-offset: -2px; box-shadow: 0 0 0 4px rgb(0 0 0 / 60%); }

.notice {
  position: absolute; inset: 0; display: flex; flex-direction: column; align-items: center;
  justify-content: center; gap: 16px; padding: 24px 24px 60px; text-align: center; pointer-events: none;
}
.message { margin: 0; max-width: 34em; font-size: 17px; text-wrap: balance; }
.frame[data-picture] .notice {
  inset: 12px auto auto 12px; flex-direction: row; gap: 10px; padding: 8px 12px; border-radius: 8px;
  max-width: calc(100% - 24px); background: rgb(8 12 13 / 82%); text-align: left;
}
.frame[data-picture] .message { font-size: 14px; }
.frame[data-state="live"] .notice, .frame[data-state="paused"][data-picture] .notice {
  clip-path: inset(50%); width: 1px; height: 1px; padding: 0; overflow: hidden;
}
.frame[data-state="paused"]:not([data-picture]) .notice { padding: 176px 24px 24px; }
@container (max-width: 480px) {
  .frame[data-state="paused"]:not([data-picture]) .notice { padding-top: 132px; }
}
.spinner {
  display: none; flex: none; width: 28px; height: 28px; border-radius: 50%;
  border: 3px solid rgb(255 255 255 / 22%); border-top-color: var(--accent); animation: turn 1s linear infinite;
}
.frame[data-picture] .spinner { width: 16px; height: 16px; border-width: 2px; }
.frame:is([data-state="connecting"], [data-state="starting"], [data-state="buffering"], [data-state="reconnecting"]) .spinner {
  display: block;
}
@keyframes turn { to { transform: rotate(1turn); } }

.start {
  position: absolute; inset: 0; margin: auto; width: 72px; height: 72px; border-radius: 50%;
  background: rgb(8 12 13 / 72%); box-shadow: 0 0 0 2px rgb(255 255 255 / 80%); display: none;
}
.start svg { width: 36px; height: 36px; }
.start:hover { background: rgb(30 42 43 / 90%); }
.frame[data-state="paused"] .start { display: grid; }

.unmute {
  position: absolute; top: 12px; right: 12px; grid-auto-flow: column; gap: 8px; padding: 0 14px 0 10px;
  background: rgb(8 12 13 / 82%); font-size: 14px; font-weight: 600;
}
.unmute:hover { background: rgb(30 42 43 / 94%); }

.bar {
  position: absolute; inset: auto 0 0; display: none; align-items: center; gap: 4px; padding: 28px 8px 6px;
  background: linear-gradient(transparent, rgb(0 0 0 / 72%)); transition: opacity 160ms;
}
.frame.controls .bar { display: flex; }
.frame.controls.quiet .bar { opacity: 0; pointer-events: none; }
.frame.controls.quiet:has(.bar :focus-visible) .bar { opacity: 1; pointer-events: auto; }
.frame.quiet { cursor: none; }
.space { flex: 1; }
.play .icon-pause, .mute .icon-silent, .full .icon-window { display: none; }
.frame[data-playing] .play .icon-pause, .frame[data-muted] .mute .icon-silent,
:host(:fullscreen) .full .icon-window { display: block; }
.frame[data-playing] .play .icon-play, .frame[data-muted] .mute .icon-sound,
:host(:fullscreen) .full .icon-full { display: none; }
.volume { width: 84px; height: 44px; margin: 0 6px 0 0; accent-color: #fff; border-radius: 8px; cursor: pointer; }
@container (max-width: 480px) { .volume { display: none; } }

.badge { display: inline-flex; align-items: center; gap: 7px; padding: 0 8px; font-size: 13px; font-variant-numeric: tabular-nums; }
.badge b { font-weight: 600; }
.badge i { width: 8px; height: 8px; border-radius: 50%; background: #8c9998; }
.frame[data-state="live"] .badge i { background: #ff5a52; }
.frame:is([data-state="buffering"], [data-state="interrupted"], [data-state="reconnecting"]) .badge i { background: #f0b232; }

.debug {
  position: absolute; top: 12px; left: 12px; margin: 0; padding: 8px 10px; border-radius: 8px; background: rgb(0 0 0 / 78%);
  font: 12px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; pointer-events: none; white-space: pre;
}
@media (prefers-reduced-motion: reduce) {
  .spinner { animation-duration: 4s; }
  .bar { transition: none; }
}
@media (forced-colors: active) {
  .badge i { forced-color-adjust: none; }
  button { border: 1px solid ButtonText; }
}
`;
