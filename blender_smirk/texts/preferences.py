# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the add-on's preferences and of what sets it up."""

from __future__ import annotations

__all__: list[str] = []

ENGINE = "Tracking"
PYTHON = "Use My Own Python"
PYTHON_TIP = (
    "Python program that tracking runs in, such as that of a virtual environment with PyTorch or a GPU build of "
    "ONNX Runtime. Empty: Blender's own, with everything that came with the add-on"
)
TEST = "Test"
TEST_TIP = "Start the tracking process once and see what it has: versions, engines, models"
TESTING = "Starting the tracking process…"
TEST_GOOD = "Tracking works: {engine}"
TEST_BAD = "Tracking cannot work yet: {problem}"
TEST_RUNNING = "A test is running"
NOT_TESTED = "Not tested yet"
ENGINE_IS = "Engine: {engine}"
PYTHON_IS = "Python {version}: {path}"
DETAILS = "Everything that was found"
DETAILS_TIP = "Show versions, models and file formats"
COPY = "Copy Report"
COPY_TIP = "Copy what the test found to the clipboard"
COPIED = "The report is in the clipboard"
NO_REPORT = "Nothing was tested yet"

MODEL = "Face Model (face_landmarker.task)"
MODEL_NOT_NEEDED = "Not needed here: the face detector has its models inside"
MODEL_BUNDLED = "Came with the add-on"
MODEL_AT = "In place: {path}"
MODEL_MISSING = "Missing: faces cannot be found until MediaPipe's face model is here"
MODEL_WRONG = "Not the right file: {path}"
MODEL_PICK = "Pick File…"
MODEL_PICK_TIP = "Choose a face_landmarker.task that is on this computer; it is checked and copied"
MODEL_GET = "Download (3.8 MB)"
MODEL_GET_TIP = "Fetch MediaPipe's face model from its maker, check it and put it in place"
MODEL_LOADING = "Downloading… {percent} %"
MODEL_STOP = "Stop"
MODEL_STOP_TIP = "Stop the download"
MODEL_READY = "The face model is in place"
MODEL_STOPPED = "The download was stopped"
DOWNLOADING = "A download is running"
OFFLINE = "Allow online access in Blender's preferences (System), or pick the file"
OFFLINE_FORCED = "Blender was started in offline mode; pick the file instead"

DATA = "Your Files"
DATA_TIP = "Where model files that you bring are kept, for Blender and for the command line"
OPEN = "Open Folder"
OPEN_TIP = "Show the folder with your model files"
IMPORT = "Add FLAME or SMIRK Files…"
IMPORT_TIP = (
    "Choose a folder or a file of your own FLAME or SMIRK downloads; what is recognised is copied to the data folder. "
    "Nothing is downloaded"
)
IMPORT_NOTHING = "Nothing that is of use was found there"
IMPORTED = "{count} file(s) in place"
NO_FILES = "None yet; the bundled head needs none"
UNVERIFIED = "{title} (a variant that is not known)"
