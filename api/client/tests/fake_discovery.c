#include "api/client/tests/fake_discovery.h"

void discovery_on_change(struct discovery *discovery, loop_fn *fn, void *arg) {
    discovery->changed = fn;
    discovery->arg = arg;
}

void discovery_follow_all(struct discovery *discovery) {
    discovery->followed = true;
}

void discovery_missed(struct discovery *discovery) {
    discovery->missed++;
}

bool discovery_loaded(const struct discovery *discovery) {
    return discovery->loaded;
}

void discovery_each(const struct discovery *discovery, discovery_fn *fn, void *arg) {
    for (uint32_t i = 0; i < discovery->count; i++)
        fn(arg, &discovery->resources[i]);
}

void discovery_each_broken(const struct discovery *discovery, discovery_broken_fn *fn, void *arg) {
    if (discovery->broken)
        fn(arg, discovery->broken);
}
