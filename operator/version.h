/* The program's version, as the build says it. */
#ifndef OPERATOR_VERSION_H
#define OPERATOR_VERSION_H

#ifndef TRIMTAB_VERSION
#define TRIMTAB_VERSION "unknown"
#endif

#endif
