/* cmocka with what it needs before it. */
#ifndef BASE_TESTS_CM_H
#define BASE_TESTS_CM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* after the others: it uses their types without including them */
#include <cmocka.h>

#endif
