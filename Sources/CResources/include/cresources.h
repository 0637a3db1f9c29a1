// Files compiled into the program: SQL migrations of the coordinator.

#ifndef QSM_CRESOURCES_H
#define QSM_CRESOURCES_H

#include <stddef.h>

struct qsm_resource {
    const char *_Null_unspecified name;
    const unsigned char *_Null_unspecified bytes;
    size_t count;
};

/// The migrations in the order they are applied. `index` counts from 0.
/// Returns false past the last one.
_Bool qsm_migration(size_t index, struct qsm_resource *_Nonnull resource);

#endif
