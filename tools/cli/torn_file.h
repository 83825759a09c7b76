/* A mapped file that another program cuts off while it is read.  The program then ends with a message that
   names the file. */
#ifndef DDPM_TORN_FILE_H
#define DDPM_TORN_FILE_H

/* Begins to watch for it. */
void torn_file_catch(void);
#endif
