/* Runs the program in the background, beside more important work. */
#ifndef DDPM_BACKGROUND_H
#define DDPM_BACKGROUND_H

/* Gives this process, and the threads that it starts from now on, the lowest priority for the processor
   and the disk.  A refusal by the system is ignored, because it does no harm. */
void background_begin(void);
#endif
