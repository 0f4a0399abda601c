// What CoreMark asks of its surroundings: no clock, because whoever measures has one; so it prints the
// same each time (and remarks that it should have run for ten seconds).
#include "coremark.h"
#include "core_portme.h"
#include <stdlib.h>

volatile ee_s32 seed1_volatile = 0, seed2_volatile = 0, seed3_volatile = 0x66, seed4_volatile = 0, seed5_volatile = 0;
ee_u32 default_num_contexts = 1;

void start_time(void) {}
void stop_time(void) {}
CORE_TICKS get_time(void) { return 1; }
secs_ret time_in_secs(CORE_TICKS ticks) { return 1; }
void portable_init(core_portable *p, int *argc, char *argv[]) {
    seed4_volatile = 100 * (*argc > 1 ? atoi(argv[1]) : 1);
    *argc = 1;
    p->portable_id = 1;
}
void portable_fini(core_portable *p) { p->portable_id = 0; }
