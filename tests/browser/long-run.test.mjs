// SPDX-License-Identifier: LGPL-2.1-or-later
// The short form of the long run: a minute of a real broadcast, at whose end everything is as at its beginning.

import { soak } from '../lib/soak.mjs';
import { test } from '../lib/test.mjs';

test('a minute of a real broadcast', { limit: 240_000 }, async (t) => {
  await soak({ seconds: 60, samples: 30, say: (line) => t.diagnostic(line) });
});
