#!/usr/bin/env tidemill
print("hello")
