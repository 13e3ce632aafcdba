#ifndef BASE_BANNED_H
#define BASE_BANNED_H

/*
 * Functions that we do not call, and what to call instead.  Included by
 * base/base.h after the system headers, so that a call does not compile.
 *
 *   strcpy strcat sprintf vsprintf   base/buf.h, or snprintf with its size
 *   strtok                           str_split, or a pointer that walks
 *   atoi atol                        str_u64
 *   system popen                     io/proc.h: argv, never a shell
 *   mktemp tmpnam                    io/fs.h: fs_replace, fs_temp_dir
 *   localtime gmtime ctime           the _r variants
 */
#pragma GCC poison strcpy strcat sprintf vsprintf strtok atoi atol
#pragma GCC poison system popen mktemp tmpnam localtime gmtime ctime

#endif /* !BASE_BANNED_H */
