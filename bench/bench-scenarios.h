/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bench-load.h"

G_BEGIN_DECLS

/* Each prints one JSON object of what it measured. */
void bench_scenario_fanout (const BenchOptions *options);
void bench_scenario_joins (const BenchOptions *options);
void bench_scenario_herd (const BenchOptions *options);
void bench_scenario_stall (const BenchOptions *options);
void bench_scenario_memory (const BenchOptions *options);
void bench_scenario_ingest (const BenchOptions *options);

G_END_DECLS
