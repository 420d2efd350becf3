// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The player for any page, of this server or another one:
//
//   <script type="module" src="https://host/relais-player.js"></script>
//   <relais-player stream="demo" autoplay controls></relais-player>
//
// It finds its modules and the server by this file's own address.

import { RelaisPlayer } from './assets/player-element.js';

if (!customElements.get('relais-player')) customElements.define('relais-player', RelaisPlayer);

export { RelaisPlayer };
