#ifndef BASE_FAULT_H
#define BASE_FAULT_H

/*
 * Stops for the kill-and-resume test.  Each place that has just changed the
 * journal, a host or a server calls fault_point.  In a program that was
 * configured with --enable-fault-points,
 *
 *     SANCTUMCTL_FAULT_STOP=7      ends the process, without any clean-up,
 *                                  at the seventh point (exit code 99)
 *     SANCTUMCTL_FAULT_STOP=NAME   the same at the first one of that name;
 *                                  of one that is of a step, NAME may be
 *                                  "plan_acted agent.sage.import"
 *     SANCTUMCTL_FAULT_COUNT=FILE  appends the name of each point to FILE
 *
 * so that a test can learn how many there are, and stop at each in turn.
 * Elsewhere the call is nothing.
 */
#define FAULT_EXIT 99

#ifdef ENABLE_FAULT_POINTS
void fault_point(const char *name);
void fault_point_of(const char *name, const char *step);
#else
#define fault_point(name) ((void)0)
#define fault_point_of(name, step) ((void)0)
#endif

#endif /* !BASE_FAULT_H */
