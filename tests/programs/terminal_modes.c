/* A program that has its terminal read character by character, and draws itself again on SIGWINCH. Each `m`
 * makes it say whether the modes are still its own, `q` ends it and leaves them behind. */
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "check.h"

static void draw(int signal) {
  struct winsize size;
  char words[64];
  (void)signal;
  CHECK(ioctl(0, TIOCGWINSZ, &size) == 0);
  int n = snprintf(words, sizeof words, "[%d x %d]\r\n", size.ws_row, size.ws_col);
  CHECK(write(1, words, (size_t)n) == n);
}

static bool modes_are(const struct termios *wanted) {
  struct termios now;
  CHECK(tcgetattr(0, &now) == 0);
  return now.c_iflag == wanted->c_iflag && now.c_oflag == wanted->c_oflag && now.c_lflag == wanted->c_lflag &&
         memcmp(now.c_cc, wanted->c_cc, sizeof now.c_cc) == 0;
}

int main(void) {
  struct termios modes;
  char key = 0;
  CHECK(tcgetattr(0, &modes) == 0);
  modes.c_iflag &= (tcflag_t) ~(ICRNL | IXON);
  modes.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
  modes.c_cc[VMIN] = 1;
  modes.c_cc[VINTR] = 7;
  CHECK(tcsetattr(0, TCSANOW, &modes) == 0);
  CHECK(tcgetattr(0, &modes) == 0);
  CHECK(sigaction(SIGWINCH, &(struct sigaction){.sa_handler = draw, .sa_flags = SA_RESTART}, NULL) == 0);
  printf("READY\r\n");
  fflush(stdout);
  while (read(0, &key, 1) == 1 && key != 'q') {
    CHECK(key == 'm');
    printf("%s\r\n", modes_are(&modes) ? "own modes" : "other modes");
    fflush(stdout);
  }
  CHECK(key == 'q');
  success();
}
