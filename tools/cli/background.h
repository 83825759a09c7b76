/* Running beside somebody else's work. */
#ifndef DDPM_BACKGROUND_H
#define DDPM_BACKGROUND_H

/* Gives this process, and the threads that it starts from now on, the lowest priority of the processor and of the
   disk.  What the system refuses is left as it is: nobody is harmed by it. */
void background_begin(void);
#endif
