/*
 * A network line that is late: two TUN devices with a queue in between.
 *
 * usage: delayline HERE_NAME PID THERE_NAME ONE_WAY_US LOSS_PPM
 *
 * HERE_NAME is made in the caller's network namespace and THERE_NAME in that
 * of process PID.  A packet that enters one leaves the other ONE_WAY_US
 * later; LOSS_PPM of a million are dropped.  SIGUSR1 starts and ends a
 * blackhole.  Prints "ready" once both devices are there, and ends when its
 * standard input does, so that it cannot outlive the program that started it.
 */
#define _GNU_SOURCE
#include <sys/ioctl.h>
#include <sys/types.h>

#include <err.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define QUEUE_PACKETS 16384
#define PACKET_BYTES 2048

struct packet {
	int64_t due_ns;
	size_t size;
	char data[PACKET_BYTES];
};

/* One direction of the line; the queue is a ring from head to tail. */
struct direction {
	int from, to;
	int64_t delay_ns;
	unsigned int loss_ppm, seed;
	unsigned int head, tail;
	struct packet *ring;
};

static volatile sig_atomic_t blackhole;

static void
toggle_blackhole(int signo)
{
	(void)signo;
	blackhole = !blackhole;
}

static int64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Make a TUN device in the current network namespace. */
static int
make_tun(const char *name)
{
	struct ifreq request;
	int fd;

	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		err(1, "/dev/net/tun");
	memset(&request, 0, sizeof(request));
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	request.ifr_flags = IFF_TUN | IFF_NO_PI;
	if (ioctl(fd, TUNSETIFF, &request) != 0)
		err(1, "%s", name);
	return fd;
}

/* Go to the network namespace of a process. */
static void
enter_network(const char *pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/ns/net", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) != 0)
		err(1, "%s", path);
	close(fd);
}

/* Send what is due.  A device that takes no more drops it, as a line does. */
static void
deliver(struct direction *d, int64_t now)
{
	struct packet *p;

	while (d->head != d->tail) {
		p = &d->ring[d->head % QUEUE_PACKETS];
		if (p->due_ns > now)
			return;
		if (write(d->to, p->data, p->size) < 0)
			warn("packet dropped");
		d->head++;
	}
}

/* Queue what has come in.  A full queue leaves it in the device. */
static void
collect(struct direction *d, int64_t now)
{
	struct packet *p;
	ssize_t size;

	while (d->tail - d->head < QUEUE_PACKETS) {
		p = &d->ring[d->tail % QUEUE_PACKETS];
		size = read(d->from, p->data, sizeof(p->data));
		if (size <= 0)
			return;
		if (blackhole ||
		    (unsigned int)rand_r(&d->seed) % 1000000 < d->loss_ppm)
			continue;
		p->size = (size_t)size;
		p->due_ns = now + d->delay_ns;
		d->tail++;
	}
}

/* Sleep until a packet comes in or the first in the queue is due. */
static void
rest(const struct direction *d, int64_t now)
{
	struct pollfd incoming = { .fd = d->from, .events = POLLIN };
	struct timespec limit = { 0, 0 };
	int64_t left;

	if (d->head == d->tail) {
		(void)poll(&incoming, 1, -1);
		return;
	}
	left = d->ring[d->head % QUEUE_PACKETS].due_ns - now;
	if (left > 0) {
		limit.tv_sec = left / 1000000000;
		limit.tv_nsec = left % 1000000000;
	}
	if (d->tail - d->head == QUEUE_PACKETS)
		incoming.fd = -1;
	(void)ppoll(&incoming, 1, &limit, NULL);
}

static void *
carry(void *arg)
{
	struct direction *d = arg;

	for (;;) {
		deliver(d, now_ns());
		collect(d, now_ns());
		rest(d, now_ns());
	}
	return NULL;
}

int
main(int argc, char **argv)
{
	struct direction lines[2];
	pthread_t thread;
	char byte;
	int ends[2], i;

	if (argc != 6)
		errx(2, "usage: delayline HERE PID THERE ONE_WAY_US "
		    "LOSS_PPM");
	signal(SIGUSR1, toggle_blackhole);
	ends[0] = make_tun(argv[1]);
	enter_network(argv[2]);
	ends[1] = make_tun(argv[3]);

	memset(lines, 0, sizeof(lines));
	for (i = 0; i < 2; i++) {
		lines[i].from = ends[i];
		lines[i].to = ends[1 - i];
		lines[i].delay_ns = strtoll(argv[4], NULL, 10) * 1000;
		lines[i].loss_ppm = (unsigned int)strtoul(argv[5], NULL, 10);
		lines[i].seed = (unsigned int)i + 1;
		lines[i].ring = calloc(QUEUE_PACKETS, sizeof(struct packet));
		if (lines[i].ring == NULL)
			err(1, "queue");
		if (pthread_create(&thread, NULL, carry, &lines[i]) != 0)
			errx(1, "no thread");
	}
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) != 0)
		;
	return 0;
}
