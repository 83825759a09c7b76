"""A visitor of the page: opens it, sets what its form has, waits for images, opens and saves files."""

import glob
import os
import shutil
import time

from browser import Browser

# The page does nothing, or at most compares steps of the images that it has made.
AT_REST = "document.getElementById('make').type === 'submit'"
IMAGES = "/^[0-9]+ images? in /.test(document.getElementById('phase').textContent)"
PNG_END = b"IEND\xaeB`\x82"
CHANGED = "changed by the visitor"


class Visitor(Browser):
    def __init__(self, page):
        super().__init__()
        self.page = "file://" + os.path.abspath(page)
        self.downloads = os.path.join(self.folder, "downloads")
        os.mkdir(self.downloads)
        self.ask("Browser.setDownloadBehavior", behavior="allow", downloadPath=self.downloads)
        self.size(1280, 900)

    def text(self, name):
        return self.value(f"document.getElementById({name!r}).textContent")

    def load(self):
        """Opens the page and waits until it makes its first images."""
        self.open(self.page)
        self.wait("document.readyState === 'complete'")
        self.wait("/^Step/.test(document.getElementById('phase').textContent)")

    def make(self, **settings):
        """Sets fields of the form by their ids, and waits for the images."""
        self.begin(**settings)
        self.wait(IMAGES)

    def begin(self, **settings):
        self.value(f"document.getElementById('phase').textContent = {CHANGED!r}; null")
        for name, value in settings.items():
            name = {"steps": "steps-number"}.get(name, name)
            self.value(f"""{{
                const field = document.getElementById({name!r});
                field.value = {str(value)!r};
                field.dispatchEvent(new Event('input', {{ bubbles: true }}));
            }}""")

    def rest(self, seconds=90):
        """Waits until what was begun last is made."""
        self.wait(f"{IMAGES} && {AT_REST}", seconds)

    def click(self, name):
        self.value(f"document.getElementById({name!r}).click()")

    def saved(self, save=None):
        """Saves the picture, and returns the path of the file, which is in the test's folder."""
        for old in glob.glob(self.downloads + "/*"):
            os.remove(old)
        (save or (lambda: self.click("save")))()
        end = time.monotonic() + 20
        while time.monotonic() < end:
            new = glob.glob(self.downloads + "/*.png")
            if new and open(new[0], "rb").read().endswith(PNG_END):
                return shutil.copy(new[0], os.getcwd())
            time.sleep(0.05)
        raise TimeoutError("nothing was saved")

    def take(self, path):
        """Opens a file, and returns the line of error, or waits for the images and returns ''."""
        self.begin()
        self.value("document.getElementById('file-error').hidden = true")
        self.give_file("#file", os.path.abspath(path))
        error = "document.getElementById('file-error')"
        return self.wait(f"{error}.hidden ? {IMAGES} && 'taken' : {error}.textContent", 90).replace(
            "taken", ""
        )

    def drop(self, path):
        """Drops a file on the page."""
        data = {"items": [], "files": [os.path.abspath(path)], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.ask("Input.dispatchDragEvent", type=kind, x=300, y=300, data=data)
