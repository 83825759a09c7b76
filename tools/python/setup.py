"""Packs what wheel.sh has laid beside it: a wheel for every Python 3 of one machine, named by WHEEL."""

import os
from glob import glob

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel


class Built(Distribution):
    """A package with machine code in it, though it has no extension module."""

    def has_ext_modules(self):
        return True


class Wheel(bdist_wheel):
    def get_tag(self):
        return "py3", "none", "linux_" + os.environ["WHEEL"]


pages = [(f"share/man/man{section}", glob(f"man/*.{section}")) for section in (1, 3, 7)]
setup(distclass=Built, cmdclass={"bdist_wheel": Wheel}, data_files=pages)
