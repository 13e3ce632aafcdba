#include "base/base.h"

#include "flow/venv_paths.h"

const char venv_paths_program[] =
    "import os, sys\n"
    "part, final = map(os.fsencode, sys.argv[1:3])\n"
    "paths = [os.path.join(part, b'pyvenv.cfg')]\n"
    "for name in os.listdir(os.path.join(part, b'bin')):\n"
    "    paths.append(os.path.join(part, b'bin', name))\n"
    "for path in paths:\n"
    "    if os.path.islink(path) or not os.path.isfile(path):\n"
    "        continue\n"
    "    with open(path, 'rb') as f:\n"
    "        text = f.read()\n"
    "    if part in text and not text.startswith(b'\\x7fELF'):\n"
    "        with open(path, 'wb') as f:\n"
    "            f.write(text.replace(part, final))\n";
