#include "cli/help.h"

#include "bindings/version.h"

static const char text[] =
    "Tidemill runs Lua 5.4 scripts whose tasks use every CPU and wait by the thousand.\n"
    "\n"
    "Usage\n"
    "  tidemill [run] [options] script.lua [arguments]\n"
    "  tidemill [run] [options] -e CODE [script.lua [arguments]]\n"
    "  tidemill [run] [options] -                  the script comes from standard input\n"
    "\n"
    "Options end at the script's name or at --; what follows belongs to the script.\n"
    "  -e CODE             run CODE first; may be given several times\n"
    "  -l MODULE           require MODULE first, into a global of that name (-l NAME=MODULE: into NAME)\n"
    "  --workers N         threads that run tasks, 1 to 1024; default: one for each CPU\n"
    "  --timeout TIME      end the run after TIME, with exit code 124\n"
    "  --grace TIME        time for an orderly end after a signal or the timeout; default: 10s\n"
    "  --max-memory SIZE   memory that all Lua states together may take\n"
    "  --strict            a task that changes a captured local or table fails, instead of a warning\n"
    "  --virtual-time[=T]  one thread at a time, and a clock that jumps over waits; T: where it begins, in UTC\n"
    "  --seed N            with --virtual-time: decides who runs when, and math.random; default: 0\n"
    "  --quiet             print errors only: no warnings\n"
    "  -v, --version       print the versions of Tidemill and of its libraries\n"
    "  -h, --help          print this text\n"
    "\n"
    "TIME is in seconds or has a unit: 90, 1.5s, 250ms, 10m, 2h.  SIZE: 512M, 2G.\n"
    "\n"
    "Exit codes\n"
    "  0    done\n"
    "  1    the script failed, or a task failed and nobody asked for its result\n"
    "  2    wrong command line\n"
    "  70   deadlock: every task was waiting for another\n"
    "  124  --timeout passed\n"
    "  128+N  ended by signal N; the first one ends the run in order, a second one at once\n"
    "  os.exit(n) in the script overrides them.\n"
    "\n"
    "Example\n"
    "  tidemill --workers 4 -e 'local tm = require \"tidemill\"\n"
    "    for i, n in tm.map(function(n) return n * n end, {1, 2, 3}) do print(i, n) end'\n";

void tide_print_help(FILE *out)
{
    fputs(text, out);
}

void tide_print_version(FILE *out)
{
    fprintf(out, "Tidemill %s\n", tide_version());
    for (const struct tide_library_version *library = tide_library_versions(); library->name; library++)
        fprintf(out, "%s %s\n", library->name, library->version);
}
