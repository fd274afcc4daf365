/*
 * QOM: what depends on which classes are initialized
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef QOM_OBJECT_INTERNAL_H
#define QOM_OBJECT_INTERNAL_H

#include "qom/object.h"

/**
 * object_class_foreach_existing:
 * @fn: called for each class, abstract ones included
 * @implements_type: what it has to implement, or %NULL
 * @opaque: for @fn
 *
 * Like object_class_foreach(), but classes that nobody needed yet stay
 * uninitialized and are left out. When they are initialized they begin as
 * copies of their parents' classes, with what @fn did to these.
 */
void object_class_foreach_existing(void (*fn)(ObjectClass *klass, void *opaque),
                                   const char *implements_type, void *opaque);

#endif
