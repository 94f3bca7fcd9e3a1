/* pgusherd: the worker daemon's command line. */
#include <getopt.h>
#include <stdio.h>

#include "cdc/config.h"
#include "cdc/worker.h"
#include "common/log.h"
#include "common/program.h"
#include "common/version.h"

static const char usage[] =
    "usage: pgusherd [-c FILE] [--fleet NAME] [--once] [--log-level LEVEL]\n"
    "\n"
    "Keeps a Redis cache and its search queues in step with PostgreSQL: reads the changelog that `pgusher\n"
    "install` set up, builds each changed document with your view, writes it into Redis and queues it.\n"
    "Run as many as you like; stop with SIGTERM, reload the configuration with SIGHUP.\n"
    "\n"
    "  -c, --config FILE   configuration (default: $PGUSHER_CONFIG, then /etc/pgusher/pgusher.json)\n"
    "      --fleet NAME    instead of the configuration's \"fleet\"\n"
    "      --once          apply what is there, then exit\n"
    "      --log-level L   error, warn, info (default) or debug\n"
    "      --help, --version\n"
    "\n"
    "Exit codes: 0 stopped as told, 1 with --once while another worker of the fleet is at work, 64 usage,\n"
    "69 PostgreSQL or Redis unavailable (only with --once; otherwise it waits for them), 78 bad "
    "configuration.\n"
    "\n"
    "Example: pgusherd -c /etc/pgusher/pgusher.json --once\n";

enum { OPT_FLEET = 256, OPT_ONCE, OPT_LOG_LEVEL, OPT_HELP, OPT_VERSION };

static const struct option options[] = {
    {"config", required_argument, NULL, 'c'},
    {"fleet", required_argument, NULL, OPT_FLEET},
    {"once", no_argument, NULL, OPT_ONCE},
    {"log-level", required_argument, NULL, OPT_LOG_LEVEL},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {NULL, 0, NULL, 0},
};

static int bad_usage(void)
{
    fputs("Try: pgusherd --help\n", stderr);
    return EX_BAD_USAGE;
}

static int set_level(const char *text)
{
    enum log_level level;

    if (log_level_parse(text, &level) != 0) {
        fprintf(stderr, "pgusherd: --log-level must be error, warn, info or debug, not \"%s\"\n", text);
        return -1;
    }
    log_set_level(level);
    return 0;
}

int main(int argc, char **argv)
{
    struct worker_options worker = {.config_file = config_default_file()};
    int option;

    program_begin("pgusherd");
    while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            worker.config_file = optarg;
            break;
        case OPT_FLEET:
            worker.fleet = optarg;
            break;
        case OPT_ONCE:
            worker.once = true;
            break;
        case OPT_LOG_LEVEL:
            if (set_level(optarg) != 0)
                return bad_usage();
            break;
        case OPT_HELP:
            fputs(usage, stdout);
            return EX_DONE;
        case OPT_VERSION:
            puts("pgusherd " PGUSHER_VERSION);
            return EX_DONE;
        default:
            return bad_usage();
        }
    }
    if (optind < argc) {
        fprintf(stderr, "pgusherd: unexpected argument \"%s\"\n", argv[optind]);
        return bad_usage();
    }
    return (int)worker_run(&worker);
}
