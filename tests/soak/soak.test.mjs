// SPDX-License-Identifier: LGPL-2.1-or-later
// The long run, `./dev soak [MINUTES]`.

import { soak } from '../lib/soak.mjs';
import { test } from '../lib/test.mjs';

const MINUTES = Number(process.env.RELAIS_SOAK_MINUTES ?? 30);

test(`${MINUTES} minutes of a real broadcast`, { limit: (MINUTES + 5) * 60_000 }, async (t) => {
  await soak({ seconds: MINUTES * 60, samples: Math.max(20, MINUTES * 6), say: (line) => t.diagnostic(line) });
});
