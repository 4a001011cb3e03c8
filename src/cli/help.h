/* help.h - the answers of --help and --version. */
#ifndef TIDE_CLI_HELP_H
#define TIDE_CLI_HELP_H

#include <stdio.h>

void tide_print_help(FILE *out);
void tide_print_version(FILE *out);

#endif
