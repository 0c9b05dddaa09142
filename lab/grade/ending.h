/* ending.h - that whoever grades has had enough: Ctrl-C, or what asks a program to end. */
#ifndef LAB_GRADE_ENDING_H
#define LAB_GRADE_ENDING_H

/* The signal that came; 0: none. Whatever runs meanwhile is ended, and nothing more is begun. */
extern volatile int ending_signal;

/* From now on INT, TERM and HUP (unless that is ignored, as by nohup) end the grading in order. */
void ending_heed(void);

#endif
