#ifndef FLOW_VENV_PATHS_H
#define FLOW_VENV_PATHS_H

/*
 * A virtual environment is made under one name and put under another.  Its
 * scripts, activate and pyvenv.cfg know where they are: this program of
 * Python, `python -IBc TEXT PART FINAL', gives those below PART the final
 * place.  Links, and programs that are no text, stay.
 */
extern const char venv_paths_program[];

#endif /* !FLOW_VENV_PATHS_H */
