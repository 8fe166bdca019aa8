/* The commands beside `run`. Each takes what follows its name and returns the process' exit code. */
#ifndef OPERATOR_COMMANDS_H
#define OPERATOR_COMMANDS_H

/* Done; the input or the cluster says no; wrong usage. */
enum exit_code { EXIT_OK = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2 };

/* Decides offline, from files. */
int command_evaluate(int argc, char **argv);
/* Shows why a live policy scaled, or did not. */
int command_explain(int argc, char **argv);
/* Shows what a configuration of prometheus-adapter makes of a Prometheus' series. */
int command_rules(int argc, char **argv);

#endif
