/* fake_names.h - getaddrinfo, played by the test: nothing asks the network.
 *
 *     ok.test        127.0.0.1
 *     two.test       127.0.0.1 and ::1
 *     fallback.test  the same in the other order
 *     many-N.test    127.0.0.1, for any N
 *     missing.test   does not exist
 *     broken.test    fails for now
 *     hang*.test     127.0.0.1, but not before fake_names_release
 *
 * and any other name does not exist.
 */
#ifndef TIDE_TESTS_FAKE_NAMES_H
#define TIDE_TESTS_FAKE_NAMES_H

/* Look-ups so far, and those that have not returned. */
int fake_names_count(void);
int fake_names_hanging(void);

/* Those that hang, now and later, go on; or, with 0, hang again. */
void fake_names_release(int released);

#endif
