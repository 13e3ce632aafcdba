#include "base/base.h"

#include <getopt.h>

#include "base/err.h"
#include "base/str.h"
#include "cli/opt.h"

enum {
	OPT_JSON = 256,
	OPT_CA_FILE,
	OPT_CONNECT_TO,
	OPT_DISCARD,
	OPT_LIST,
	OPT_ON,
	OPT_ORIGIN,
	OPT_TURN,
	OPT_DRY_RUN,
	OPT_FOR,
	OPT_JOBS,
	OPT_KEEP,
	OPT_NAME,
	OPT_OUT,
	OPT_PURGE,
	OPT_RENEW,
	OPT_REVERSE,
	OPT_SINCE,
	OPT_TOOLS,
	OPT_STATE,
	OPT_VERSION
};

static const struct option longs[] = {
	{ "ca-file", required_argument, NULL, OPT_CA_FILE },
	{ "connect-to", required_argument, NULL, OPT_CONNECT_TO },
	{ "discard", no_argument, NULL, OPT_DISCARD },
	{ "dry-run", no_argument, NULL, OPT_DRY_RUN },
	{ "for", required_argument, NULL, OPT_FOR },
	{ "help", no_argument, NULL, 'h' },
	{ "jobs", required_argument, NULL, OPT_JOBS },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "keep", required_argument, NULL, OPT_KEEP },
	{ "list", no_argument, NULL, OPT_LIST },
	{ "name", required_argument, NULL, OPT_NAME },
	{ "on", required_argument, NULL, OPT_ON },
	{ "origin", required_argument, NULL, OPT_ORIGIN },
	{ "out", required_argument, NULL, OPT_OUT },
	{ "purge", no_argument, NULL, OPT_PURGE },
	{ "quiet", no_argument, NULL, 'q' },
	{ "renew", no_argument, NULL, OPT_RENEW },
	{ "reverse", no_argument, NULL, OPT_REVERSE },
	{ "since", required_argument, NULL, OPT_SINCE },
	{ "state", required_argument, NULL, OPT_STATE },
	{ "tools", required_argument, NULL, OPT_TOOLS },
	{ "turn", required_argument, NULL, OPT_TURN },
	{ "verbose", no_argument, NULL, 'v' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 }
};

/* Short options may stand in one word, of which optopt is the wrong one. */
static int
unknown(const char *word, struct err *err)
{
	if (optopt > 0 && optopt < OPT_JSON)
		return err_set(err, ERR_USAGE, "unknown option -%c (see "
		    "sanctumctl --help)", optopt);
	return err_set(err, ERR_USAGE, "unknown option %s (see sanctumctl "
	    "--help)", word);
}

/* Whether a word asks for JSON, in a line that cannot be parsed to its end. */
static bool
wants_json(int argc, char *const *argv)
{
	for (int i = 1; i < argc && !str_eq(argv[i], "--"); i++) {
		if (str_eq(argv[i], "--json"))
			return true;
	}
	return false;
}

/* An option that takes a value and belongs to few commands. */
static const char **
value_of(struct opt *opt, int c)
{
	switch (c) {
	case OPT_CA_FILE:
		return &opt->ca_file;
	case OPT_CONNECT_TO:
		return &opt->connect_to;
	case OPT_JOBS:
		return &opt->jobs;
	case OPT_KEEP:
		return &opt->keep;
	case OPT_SINCE:
		return &opt->since;
	case OPT_ON:
		return &opt->on;
	case OPT_ORIGIN:
		return &opt->origin;
	case OPT_TURN:
		return &opt->turn;
	case OPT_FOR:
		return &opt->for_version;
	case OPT_NAME:
		return &opt->name;
	case OPT_OUT:
		return &opt->out;
	case OPT_TOOLS:
		return &opt->tools;
	default:
		return NULL;
	}
}

static int
parse(int argc, char **argv, struct opt *opt, struct err *err)
{
	const char **value;
	int c;

	*opt = (struct opt){ 0 };
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":hqv", longs, NULL)) != -1) {
		switch (c) {
		case 'h':
			opt->help = true;
			break;
		case 'q':
			opt->verbosity = -1;
			break;
		case 'v':
			opt->verbosity++;
			break;
		case OPT_JSON:
			opt->json = true;
			break;
		case OPT_DISCARD:
			opt->discard = true;
			break;
		case OPT_LIST:
			opt->list = true;
			break;
		case OPT_DRY_RUN:
			opt->dry_run = true;
			break;
		case OPT_PURGE:
			opt->purge = true;
			break;
		case OPT_RENEW:
			opt->renew = true;
			break;
		case OPT_REVERSE:
			opt->reverse = true;
			break;
		case OPT_STATE:
			/* "" of an unset shell variable would be "/". */
			if (!*optarg)
				return err_set(err, ERR_USAGE, "option "
				    "--state: the directory is empty");
			opt->state_dir = optarg;
			break;
		case OPT_VERSION:
			opt->version = true;
			break;
		case ':':
			return err_set(err, ERR_USAGE, "option %s wants a "
			    "value (see sanctumctl --help)", argv[optind - 1]);
		default:
			value = value_of(opt, c);
			if (!value)
				return unknown(argv[optind - 1], err);
			*value = optarg;
			break;
		}
	}
	for (; optind < argc; optind++) {
		if (opt->n_words == OPT_WORDS_MAX)
			return err_set(err, ERR_USAGE, "one word too many: "
			    "%s", argv[optind]);
		opt->words[opt->n_words++] = argv[optind];
	}
	return 0;
}

int
opt_parse(int argc, char **argv, struct opt *opt, struct err *err)
{
	if (parse(argc, argv, opt, err) == 0)
		return 0;
	opt->json = opt->json || wants_json(argc, argv);
	return -1;
}
