/* A mapped file that somebody cuts off while it is being read: the program then ends with a line that
   names it. */
#ifndef DDPM_TORN_FILE_H
#define DDPM_TORN_FILE_H

void torn_file_catch(void);
#endif
