/*
 * A closed-loop DNS load in batches, which takes less of the machine than any server under it:
 * load PORT COUNT WINDOW DO NAME... prints {"answered","lost","seconds"} as load.ts does.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#define BATCH 64
#define SIZE 2048
#define MAX_NAMES 16384

static unsigned char questions[MAX_NAMES][320];
static int lengths[MAX_NAMES];
static char received[BATCH][SIZE];
static struct mmsghdr out[BATCH], in[BATCH];
static struct iovec out_vectors[BATCH], in_vectors[BATCH];
static unsigned char sending[BATCH][320];

static int encode(unsigned char *into, const char *name, int wants_dnssec) {
  static const unsigned char head[12] = {0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1};
  const unsigned char tail[] = {0, 0, 28, 0, 1, 0, 0, 41, 4, 208, 0, 0, wants_dnssec ? 0x80 : 0, 0, 0, 0};
  int at = 12;
  memcpy(into, head, 12);
  while (*name != 0) {
    int label = (int)strcspn(name, ".");
    into[at++] = (unsigned char)label;
    memcpy(into + at, name, label);
    at += label;
    name += label;
    if (*name == '.') name++;
  }
  memcpy(into + at, tail, sizeof tail);
  return at + (int)sizeof tail;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

int main(int count, char **words) {
  struct timeval patience = {0, 300000};
  struct sockaddr_in server = {.sin_family = AF_INET};
  int handle = socket(AF_INET, SOCK_DGRAM, 0), room = 4 << 20, names = count - 5, index;
  long total, window, sent = 0, answered = 0, flying = 0;
  double started, last;
  if (count < 6 || names > MAX_NAMES) return 2;
  server.sin_port = htons(atoi(words[1]));
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  total = atol(words[2]);
  window = atol(words[3]);
  for (index = 0; index < names; index++)
    lengths[index] = encode(questions[index], words[index + 5], atoi(words[4]));
  setsockopt(handle, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  setsockopt(handle, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (connect(handle, (struct sockaddr *)&server, sizeof server) != 0) return 1;
  for (index = 0; index < BATCH; index++) {
    in_vectors[index].iov_base = received[index];
    in_vectors[index].iov_len = SIZE;
    in[index].msg_hdr.msg_iov = &in_vectors[index];
    in[index].msg_hdr.msg_iovlen = 1;
    out[index].msg_hdr.msg_iov = &out_vectors[index];
    out[index].msg_hdr.msg_iovlen = 1;
    out_vectors[index].iov_base = sending[index];
  }
  started = last = now();
  while (answered < total) {
    int batch = 0, got;
    while (batch < BATCH && flying < window && sent < total) {
      int question = (int)(sent % names);
      memcpy(sending[batch], questions[question], lengths[question]);
      sending[batch][0] = (unsigned char)(sent >> 8);
      sending[batch][1] = (unsigned char)sent;
      out_vectors[batch].iov_len = lengths[question];
      batch++, sent++, flying++;
    }
    if (batch > 0 && sendmmsg(handle, out, batch, 0) < 0) return 1;
    got = recvmmsg(handle, in, BATCH, MSG_WAITFORONE, 0);
    if (got > 0) {
      answered += got;
      flying -= got;
      last = now();
    } else if (sent >= total) break;
    else flying = 0;
  }
  printf("{\"answered\":%ld,\"lost\":%ld,\"seconds\":%f}\n", answered, sent - answered, last - started);
  return 0;
}
